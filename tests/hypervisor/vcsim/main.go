// A vCenter for tests: govmomi's simulator. It prints its address, writes its certificate, and ends when its
// standard input does. It builds with the module that go.mod names, and with Debian's package of 0.24.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

func main() {
	machines := flag.Int("machines", 2, "machines of the cluster")
	hosts := flag.Int("hosts", 2, "hosts of the cluster")
	cards := flag.Int("cards", 1, "interfaces of each machine")
	file := flag.String("certificate", "", "where to write the certificate")
	flag.Parse()
	model := simulator.VPX()
	model.Host, model.ClusterHost, model.Machine = 0, *hosts, *machines
	must(model.Create())
	model.Service.RegisterEndpoints = true
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(*file)}}
	server := model.Service.NewServer()
	defer server.Close()
	if *cards > 1 {
		must(addCards(server, *cards-1))
	}
	fmt.Println(server.URL.Host)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// certificate makes one for this host. The one that Go has for tests is too weak for others, depending on its age.
func certificate(file string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600))
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// addCards gives every machine more interfaces in the port group that the simulator has.
func addCards(server *simulator.Server, more int) error {
	ctx := context.Background()
	client, err := govmomi.NewClient(ctx, server.URL, true)
	if err != nil {
		return err
	}
	found := find.NewFinder(client.Client, true)
	center, err := found.DefaultDatacenter(ctx)
	if err != nil {
		return err
	}
	found.SetDatacenter(center)
	network, err := found.Network(ctx, "DC0_DVPG0")
	if err != nil {
		return err
	}
	machines, err := found.VirtualMachineList(ctx, "*")
	if err != nil {
		return err
	}
	backing, err := network.EthernetCardBackingInfo(ctx)
	if err != nil {
		return err
	}
	var last *object.Task // waiting for each of them would take minutes
	for number, machine := range machines {
		for card := 0; card < more; card++ {
			device, err := object.EthernetCardTypes().CreateEthernetCard("vmxnet3", backing)
			if err != nil {
				return err
			}
			ethernet := device.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
			ethernet.AddressType = string(types.VirtualEthernetCardMacTypeManual)
			ethernet.MacAddress = fmt.Sprintf("00:50:56:%02x:%02x:%02x", card, number>>8, number&255)
			add := types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: device}
			task, err := machine.Reconfigure(ctx, types.VirtualMachineConfigSpec{
				DeviceChange: []types.BaseVirtualDeviceConfigSpec{&add},
			})
			if err != nil {
				return err
			}
			last = task
		}
	}
	if last != nil {
		if err := last.Wait(ctx); err != nil {
			return err
		}
	}
	return client.Logout(ctx)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
