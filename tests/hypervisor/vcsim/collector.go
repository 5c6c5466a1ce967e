package main

import (
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	page    = 100                   // objects in an answer, as of a vCenter
	settle  = 20 * time.Millisecond // for changes to come together, as in the simulator
	forever = time.Hour
)

// PropertyCollector answers WaitForUpdatesEx with what has changed. The simulator's own reads all objects of all
// filters anew for each change, so that one move takes it seconds with some hundred machines. Everything else is
// the simulator's.
type PropertyCollector struct {
	simulator.PropertyCollector

	guard   sync.Mutex
	changes []types.ObjectUpdate
	came    chan struct{}
	known   map[types.ManagedObjectReference]map[types.ManagedObjectReference]bool // objects by filter
	waiting []told
}

type told struct {
	filter types.ManagedObjectReference
	update types.ObjectUpdate
}

// CreatePropertyCollector makes one of ours.
func (c *PropertyCollector) CreatePropertyCollector(ctx *simulator.Context, _ *types.CreatePropertyCollector) soap.HasFault {
	made := ctx.Session.Put(&PropertyCollector{}).Reference()
	return &methods.CreatePropertyCollectorBody{Res: &types.CreatePropertyCollectorResponse{Returnval: made}}
}

// PutObject has nothing to note: where an object matters, a view changes as well.
func (c *PropertyCollector) PutObject(*simulator.Context, mo.Reference) {}

// UpdateObject notes a change.
func (c *PropertyCollector) UpdateObject(_ *simulator.Context, o mo.Reference, changes []types.PropertyChange) {
	c.note(types.ObjectUpdate{Kind: types.ObjectUpdateKindModify, Obj: o.Reference(), ChangeSet: changes})
}

// RemoveObject notes that an object is gone.
func (c *PropertyCollector) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) {
	c.note(types.ObjectUpdate{Kind: types.ObjectUpdateKindLeave, Obj: ref})
}

func (c *PropertyCollector) note(update types.ObjectUpdate) {
	c.guard.Lock()
	c.changes = append(c.changes, update)
	c.guard.Unlock()
	select {
	case c.came <- struct{}{}:
	default:
	}
}

// WaitForUpdatesEx gives everything at first, and from then on what has changed.
func (c *PropertyCollector) WaitForUpdatesEx(ctx *simulator.Context, r *types.WaitForUpdatesEx) soap.HasFault {
	body := &methods.WaitForUpdatesExBody{Res: &types.WaitForUpdatesExResponse{}}
	if r.Version == "" {
		c.begin(ctx)
	}
	patience := forever
	if r.Options != nil && r.Options.MaxWaitSeconds != nil {
		patience = time.Duration(*r.Options.MaxWaitSeconds) * time.Second
	}
	for end := time.After(patience); len(c.waiting) == 0; {
		select {
		case <-end:
			return body
		case <-c.came:
			time.Sleep(settle)
			c.take(ctx)
		}
	}
	body.Res.Returnval = c.turn()
	return body
}

func (c *PropertyCollector) begin(ctx *simulator.Context) {
	c.came = make(chan struct{}, 1)
	c.known = map[types.ManagedObjectReference]map[types.ManagedObjectReference]bool{}
	ctx.Map.AddHandler(c)
	for _, ref := range c.Filter {
		c.known[ref] = map[types.ManagedObjectReference]bool{}
		c.enter(ctx, ref)
	}
}

// enter reads what a filter selects, and tells of objects that are new.
func (c *PropertyCollector) enter(ctx *simulator.Context, ref types.ManagedObjectReference) {
	for _, one := range c.read(ctx, ctx.Session.Get(ref).(*simulator.PropertyFilter).Spec) {
		if !c.known[ref][one.Obj] {
			c.known[ref][one.Obj] = true
			c.tell(ref, types.ObjectUpdateKindEnter, one)
		}
	}
}

func (c *PropertyCollector) read(ctx *simulator.Context, spec types.PropertyFilterSpec) []types.ObjectContent {
	body := c.RetrievePropertiesEx(ctx, &types.RetrievePropertiesEx{SpecSet: []types.PropertyFilterSpec{spec}})
	if body.Fault() != nil {
		return nil
	}
	return body.(*methods.RetrievePropertiesExBody).Res.Returnval.Objects
}

func (c *PropertyCollector) tell(filter types.ManagedObjectReference, kind types.ObjectUpdateKind, one types.ObjectContent) {
	update := types.ObjectUpdate{Kind: kind, Obj: one.Obj}
	for _, property := range one.PropSet {
		change := types.PropertyChange{Op: types.PropertyChangeOpAssign, Name: property.Name, Val: property.Val}
		update.ChangeSet = append(update.ChangeSet, change)
	}
	c.waiting = append(c.waiting, told{filter, update})
}

// take finds out what the changes mean for each filter.
func (c *PropertyCollector) take(ctx *simulator.Context) {
	c.guard.Lock()
	changes := c.changes
	c.changes = nil
	c.guard.Unlock()
	for _, change := range changes {
		for _, ref := range c.Filter {
			spec := ctx.Session.Get(ref).(*simulator.PropertyFilter).Spec
			switch {
			case selects(spec, change.Obj):
				c.enter(ctx, ref)
			case !c.known[ref][change.Obj]:
			case change.Kind == types.ObjectUpdateKindLeave:
				delete(c.known[ref], change.Obj)
				c.waiting = append(c.waiting, told{ref, change})
			default:
				c.modify(ctx, ref, spec, change)
			}
		}
	}
}

func selects(spec types.PropertyFilterSpec, ref types.ManagedObjectReference) bool {
	for _, set := range spec.ObjectSet {
		if set.Obj == ref && len(set.SelectSet) > 0 {
			return true
		}
	}
	return false
}

// modify reads the properties of one object that have changed.
func (c *PropertyCollector) modify(
	ctx *simulator.Context, filter types.ManagedObjectReference, spec types.PropertyFilterSpec, change types.ObjectUpdate,
) {
	wanted := types.PropertyFilterSpec{ObjectSet: []types.ObjectSpec{{Obj: change.Obj}}}
	for _, set := range spec.PropSet {
		if paths := touched(set.PathSet, change.ChangeSet); len(paths) > 0 {
			wanted.PropSet = append(wanted.PropSet, types.PropertySpec{Type: set.Type, PathSet: paths})
		}
	}
	if len(wanted.PropSet) == 0 {
		return
	}
	for _, one := range c.read(ctx, wanted) {
		if len(one.PropSet) > 0 {
			c.tell(filter, types.ObjectUpdateKindModify, one)
		}
	}
}

func touched(paths []string, changes []types.PropertyChange) []string {
	var found []string
	for _, path := range paths {
		for _, change := range changes {
			if path == change.Name || strings.HasPrefix(path, change.Name+".") || strings.HasPrefix(change.Name, path+".") {
				found = append(found, path)
				break
			}
		}
	}
	return found
}

// turn gives the next page of what waits to be told.
func (c *PropertyCollector) turn() *types.UpdateSet {
	count := min(len(c.waiting), page)
	set := &types.UpdateSet{Version: "-"}
	for _, one := range c.waiting[:count] {
		last := len(set.FilterSet) - 1
		if last < 0 || set.FilterSet[last].Filter != one.filter {
			set.FilterSet = append(set.FilterSet, types.PropertyFilterUpdate{Filter: one.filter})
			last++
		}
		set.FilterSet[last].ObjectSet = append(set.FilterSet[last].ObjectSet, one.update)
	}
	c.waiting = c.waiting[count:]
	if len(c.waiting) > 0 {
		more := true
		set.Truncated = &more
	}
	return set
}
