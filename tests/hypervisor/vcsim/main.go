// A vCenter for tests: govmomi's simulator. It prints its address, writes its certificate, and ends when its
// standard input does. It builds with the module that go.mod names, and with Debian's package of 0.24 (old.go in
// the place of new.go and collector.go).
package main

import (
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

	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

const made = 10 // machines that the simulator makes itself; it takes 40 ms for each

func main() {
	machines := flag.Int("machines", 2, "machines of the cluster")
	hosts := flag.Int("hosts", 2, "hosts of the cluster")
	cards := flag.Int("cards", 1, "interfaces of each machine")
	file := flag.String("certificate", "", "where to write the certificate")
	flag.Parse()
	model := simulator.VPX()
	model.Host, model.ClusterHost, model.Machine = 0, *hosts, min(*machines, made)
	must(model.Create())
	defer model.Remove() // files that it has made
	prepare(model)
	addMachines(registry(model), *machines-model.Machine)
	setCards(registry(model), *cards)
	model.Service.RegisterEndpoints = true
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(*file)}}
	server := model.Service.NewServer()
	defer server.Close()
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

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
