package main

import "github.com/vmware/govmomi/simulator"

func registry(model *simulator.Model) *simulator.Registry { return model.Map() }

// prepare puts our collector in the place of the simulator's.
func prepare(model *simulator.Model) {
	ours := &PropertyCollector{}
	ours.Self = model.ServiceContent.PropertyCollector
	model.Map().Put(ours)
}
