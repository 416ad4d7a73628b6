// Command adaptation is a container runtime with NRI and without containers: the runtime side of NRI itself, at the
// version that a module of ../runtimes links it at, for plugins to connect to and for a test to make calls with.
//
// usage: adaptation DIRECTORY NAME VERSION REGISTRATION_TIMEOUT REQUEST_TIMEOUT
//
// It listens on DIRECTORY/nri.sock. A command is one line of JSON on standard input, an answer or an event one line of
// JSON on standard output. It ends when standard input does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/containerd/nri/pkg/adaptation"
	"github.com/containerd/nri/pkg/log"
	"google.golang.org/protobuf/proto"
)

// A command: a call of an event, or what plugins are synchronized with. Messages are in their binary form.
type command struct {
	// Call is the method of the adaptation: the name of the event.
	Call string `json:"call,omitempty"`
	// Fields are the messages of the request by their names in Go.
	Fields map[string][]byte `json:"fields,omitempty"`

	// State replaces what plugins are synchronized with.
	State *state `json:"state,omitempty"`
}

type state struct {
	Pods       [][]byte `json:"pods"`
	Containers [][]byte `json:"containers"`
	// FailingUpdates are the containers of which an update that a plugin asks for fails.
	FailingUpdates []string `json:"failing_updates"`
}

// An event, or the answer to a call or a state.
type event struct {
	// Answer says what became of a call.
	Answer *answer `json:"answer,omitempty"`
	// Log is what the adaptation logs.
	Log string `json:"log,omitempty"`
	// Synchronized has the updates that a plugin asked for when it was synchronized.
	Synchronized [][]byte `json:"synchronized,omitempty"`
	// Updates are those that a plugin asked for by itself.
	Updates [][]byte `json:"updates,omitempty"`
}

type answer struct {
	Missing  bool   `json:"missing,omitempty"`
	Error    string `json:"error,omitempty"`
	Response []byte `json:"response,omitempty"`
}

// The runtime, as far as there is one.
type node struct {
	lock       sync.Mutex
	pods       []*adaptation.PodSandbox
	containers []*adaptation.Container
	failing    []string
	output     *json.Encoder
}

func (n *node) say(e event) {
	n.lock.Lock()
	defer n.lock.Unlock()
	if err := n.output.Encode(e); err != nil {
		os.Exit(1)
	}
}

// synchronize hands the state over to a plugin.
func (n *node) synchronize(ctx context.Context, plugin adaptation.SyncCB) error {
	n.lock.Lock()
	pods, containers := n.pods, n.containers
	n.lock.Unlock()
	updates, err := plugin(ctx, pods, containers)
	if err != nil {
		return err
	}
	n.say(event{Synchronized: encoded(updates)})
	return nil
}

// update is called for what a plugin asks for by itself.
func (n *node) update(_ context.Context, updates []*adaptation.ContainerUpdate) ([]*adaptation.ContainerUpdate, error) {
	n.say(event{Updates: encoded(updates)})
	n.lock.Lock()
	defer n.lock.Unlock()
	return slices.DeleteFunc(slices.Clone(updates), func(u *adaptation.ContainerUpdate) bool {
		return !slices.Contains(n.failing, u.ContainerId)
	}), nil
}

func (n *node) set(s *state) error {
	n.lock.Lock()
	defer n.lock.Unlock()
	n.pods, n.containers, n.failing = nil, nil, s.FailingUpdates
	for _, bytes := range s.Pods {
		pod := &adaptation.PodSandbox{}
		if err := proto.Unmarshal(bytes, pod); err != nil {
			return err
		}
		n.pods = append(n.pods, pod)
	}
	for _, bytes := range s.Containers {
		container := &adaptation.Container{}
		if err := proto.Unmarshal(bytes, container); err != nil {
			return err
		}
		n.containers = append(n.containers, container)
	}
	return nil
}

func encoded(updates []*adaptation.ContainerUpdate) [][]byte {
	all := [][]byte{}
	for _, update := range updates {
		bytes, err := proto.Marshal(update)
		if err != nil {
			panic(err)
		}
		all = append(all, bytes)
	}
	return all
}

// call makes a call by its name, since the types of the requests differ from version to version.
func call(runtime *adaptation.Adaptation, c command) (answer, error) {
	method := reflect.ValueOf(runtime).MethodByName(c.Call)
	if !method.IsValid() {
		return answer{Missing: true}, nil
	}
	request := reflect.New(method.Type().In(1).Elem())
	for name, bytes := range c.Fields {
		field := request.Elem().FieldByName(name)
		if !field.IsValid() {
			return answer{}, fmt.Errorf("%s has no field %s", request.Type(), name)
		}
		message := reflect.New(field.Type().Elem())
		if err := proto.Unmarshal(bytes, message.Interface().(proto.Message)); err != nil {
			return answer{}, err
		}
		field.Set(message)
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), request})
	if err, failed := results[len(results)-1].Interface().(error); failed {
		return answer{Error: err.Error()}, nil
	}
	if len(results) == 1 || results[0].IsNil() {
		return answer{}, nil
	}
	bytes, err := proto.Marshal(results[0].Interface().(proto.Message))
	return answer{Response: bytes}, err
}

// logger sends what the adaptation logs to the test.
type logger struct{ node *node }

func (l logger) Debugf(context.Context, string, ...interface{}) {}
func (l logger) Infof(_ context.Context, format string, args ...interface{}) {
	l.node.say(event{Log: fmt.Sprintf(format, args...)})
}
func (l logger) Warnf(ctx context.Context, format string, args ...interface{}) {
	l.Infof(ctx, format, args...)
}
func (l logger) Errorf(ctx context.Context, format string, args ...interface{}) {
	l.Infof(ctx, format, args...)
}

func run() error {
	if len(os.Args) != 6 {
		return fmt.Errorf("usage: adaptation DIRECTORY NAME VERSION REGISTRATION_TIMEOUT REQUEST_TIMEOUT")
	}
	directory, name, version := os.Args[1], os.Args[2], os.Args[3]
	registration, err := time.ParseDuration(os.Args[4])
	if err != nil {
		return err
	}
	request, err := time.ParseDuration(os.Args[5])
	if err != nil {
		return err
	}
	adaptation.SetPluginRegistrationTimeout(registration)
	adaptation.SetPluginRequestTimeout(request)
	n := &node{output: json.NewEncoder(os.Stdout)}
	log.Set(logger{n})
	runtime, err := adaptation.New(name, version, n.synchronize, n.update,
		adaptation.WithSocketPath(filepath.Join(directory, "nri.sock")),
		adaptation.WithPluginPath(filepath.Join(directory, "plugins")),
		adaptation.WithPluginConfigPath(filepath.Join(directory, "conf.d")))
	if err != nil {
		return err
	}
	if err := runtime.Start(); err != nil {
		return err
	}
	n.say(event{Log: "started"})
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return nil
		}
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			return err
		}
		if c.State != nil {
			if err := n.set(c.State); err != nil {
				return err
			}
			n.say(event{Answer: &answer{}})
			continue
		}
		a, err := call(runtime, c)
		if err != nil {
			return err
		}
		n.say(event{Answer: &a})
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
