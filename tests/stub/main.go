// Command stub is two plugins of nri/examples once more, on Go's own stub, for a test to hold the Rust ones against.
//
// usage: stub device-injector|ulimit-adjuster SOCKET
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
)

// A plugin turns the annotation of a pod into an adjustment.
type plugin struct {
	key    string
	adjust func(annotation string, adjustment *api.ContainerAdjustment) error
}

var plugins = map[string]plugin{
	"device-injector": {"devices.example.com", addDevices},
	"ulimit-adjuster": {"ulimits.example.com", addLimits},
}

// CreateContainer is called by the stub. What a pod asks for its one container goes before what it asks for all.
func (p *plugin) CreateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) (
	*api.ContainerAdjustment, []*api.ContainerUpdate, error,
) {
	annotation, asked := pod.GetAnnotations()[p.key+"/container."+container.GetName()]
	if !asked {
		annotation, asked = pod.GetAnnotations()[p.key+"/pod"]
	}
	adjustment := &api.ContainerAdjustment{}
	if !asked {
		return adjustment, nil, nil
	}
	return adjustment, nil, p.adjust(annotation, adjustment)
}

func addDevices(annotation string, adjustment *api.ContainerAdjustment) error {
	for _, line := range strings.Split(annotation, "\n") {
		words := strings.Fields(line)
		if len(words) != 4 || !strings.HasPrefix(words[0], "/dev/") || (words[1] != "b" && words[1] != "c") {
			return fmt.Errorf("%q is no device", line)
		}
		major, minor, found := strings.Cut(words[2], ":")
		majorNumber, majorErr := strconv.ParseInt(major, 10, 64)
		minorNumber, minorErr := strconv.ParseInt(minor, 10, 64)
		mode, modeErr := strconv.ParseUint(words[3], 8, 32)
		if !found || majorErr != nil || minorErr != nil || modeErr != nil {
			return fmt.Errorf("%q is no device", line)
		}
		adjustment.AddDevice(&api.LinuxDevice{
			Path: words[0], Type: words[1], Major: majorNumber, Minor: minorNumber,
			FileMode: api.FileMode(uint32(mode)),
		})
	}
	return nil
}

func addLimits(annotation string, adjustment *api.ContainerAdjustment) error {
	for _, limit := range strings.Split(annotation, ",") {
		name, values, _ := strings.Cut(strings.TrimSpace(limit), "=")
		soft, hard, found := strings.Cut(values, ":")
		softNumber, softErr := strconv.ParseUint(soft, 10, 64)
		hardNumber, hardErr := strconv.ParseUint(hard, 10, 64)
		if !found || softErr != nil || hardErr != nil || softNumber > hardNumber || !strings.HasPrefix(name, "RLIMIT_") {
			return fmt.Errorf("%q is no limit", limit)
		}
		adjustment.AddRlimit(name, hardNumber, softNumber)
	}
	return nil
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: stub device-injector|ulimit-adjuster SOCKET")
	}
	chosen, known := plugins[os.Args[1]]
	if !known {
		return fmt.Errorf("there is no plugin %s", os.Args[1])
	}
	connection, err := stub.New(&chosen, stub.WithPluginName(os.Args[1]), stub.WithPluginIdx("10"),
		stub.WithSocketPath(os.Args[2]))
	if err != nil {
		return err
	}
	return connection.Run(context.Background())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "stub:", err)
		os.Exit(1)
	}
}
