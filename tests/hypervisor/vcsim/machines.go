package main

import (
	"fmt"
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

const firstCard = 4000 // key of the first interface of a machine, as vSphere numbers them

// addMachines makes more machines after the first, straight in the registry, on all hosts in turn. They have the
// first one's disks. No client may be connected yet.
func addMachines(all *simulator.Registry, more int) {
	hosts := all.All("HostSystem")
	first := all.Any("VirtualMachine").(*simulator.VirtualMachine)
	before := len(all.All("VirtualMachine"))
	folder := all.Get(*first.Parent).(*simulator.Folder)
	pool := all.Get(*first.ResourcePool).(*simulator.ResourcePool)
	for number := before; number < before+more; number++ {
		host := hosts[number%len(hosts)].(*simulator.HostSystem)
		self := copyOf(first, number, host.Self)
		all.Put(self)
		self.Summary.Vm = &self.Self
		folder.ChildEntity = append(folder.ChildEntity, self.Self)
		pool.Vm = append(pool.Vm, self.Self)
		host.Vm = append(host.Vm, self.Self)
	}
}

func copyOf(first *simulator.VirtualMachine, number int, host types.ManagedObjectReference) *simulator.VirtualMachine {
	config := *first.Config
	config.Name = fmt.Sprintf("DC0_C0_RP0_VM%d", number)
	config.Uuid = fmt.Sprintf("42000000-0000-4000-8000-%012x", number)
	config.InstanceUuid = fmt.Sprintf("50000000-0000-4000-8000-%012x", number)
	found := *first
	found.Self = types.ManagedObjectReference{}
	found.Name = config.Name
	found.Config = &config
	found.Runtime.Host = &host
	found.Summary.Config.Name = config.Name
	found.Summary.Config.Uuid, found.Summary.Config.InstanceUuid = config.Uuid, config.InstanceUuid
	found.Summary.Runtime = found.Runtime
	return &found
}

// setCards gives every machine so many interfaces, all like its first and in the same port group, each with a MAC
// of its own: the simulator gives some machines the same.
func setCards(all *simulator.Registry, cards int) {
	for number, one := range all.All("VirtualMachine") {
		hardware := &one.(*simulator.VirtualMachine).Config.Hardware
		var devices []types.BaseVirtualDevice
		var first types.BaseVirtualDevice
		for _, device := range hardware.Device {
			if _, is := device.(types.BaseVirtualEthernetCard); !is {
				devices = append(devices, device)
			} else if first == nil {
				first = device
			}
		}
		for card := 0; card < cards; card++ {
			devices = append(devices, cardLike(first, number, card))
		}
		hardware.Device = devices
	}
}

func cardLike(first types.BaseVirtualDevice, number, card int) types.BaseVirtualDevice {
	made := reflect.New(reflect.TypeOf(first).Elem())
	made.Elem().Set(reflect.ValueOf(first).Elem())
	ethernet := made.Interface().(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
	ethernet.Key = int32(firstCard + card)
	unit := int32(7 + card)
	ethernet.UnitNumber = &unit
	ethernet.AddressType = string(types.VirtualEthernetCardMacTypeManual)
	ethernet.MacAddress = fmt.Sprintf("00:50:56:%02x:%02x:%02x", card, number>>8, number&255)
	ethernet.DeviceInfo = &types.Description{Label: fmt.Sprintf("ethernet-%d", card), Summary: "port group"}
	return made.Interface().(types.BaseVirtualDevice)
}
