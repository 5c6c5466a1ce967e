//go:build ignore

// For Debian's package, named when it is built with that.
package main

import "github.com/vmware/govmomi/simulator"

func registry(*simulator.Model) *simulator.Registry { return simulator.Map }

func prepare(*simulator.Model) {}
