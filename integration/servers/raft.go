package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/vault/api"
)

// raftNodes is how many nodes a cluster has: the least that can lose one.
const raftNodes = 3

// Raft is a cluster of Vault servers with raft storage. Its nodes have the
// same root token, and each can be told what any Vault can: Kill, Pause,
// Resume, Shutdown, Start, Unseal. Seal is for the active node, which another
// replaces then; a standby node refuses it.
type Raft struct {
	Nodes []*Vault
	Token string // root's
}

// StartRaft starts a cluster and waits until one node is active and the others
// could take its place.
func StartRaft(ctx context.Context, bin Binaries) (*Raft, error) {
	return withFreePorts(func() (*Raft, error) {
		r := &Raft{}
		if err := r.start(ctx, bin); err != nil {
			_ = r.Stop()
			return nil, err
		}
		return r, nil
	})
}

func (r *Raft) start(ctx context.Context, bin Binaries) error {
	for i := range raftNodes {
		v, err := newRaftNode(bin, fmt.Sprintf("node-%d", i))
		if err != nil {
			return err
		}
		r.Nodes = append(r.Nodes, v)
	}
	first := r.Nodes[0]
	if err := first.firstStart(ctx); err != nil {
		return err
	}
	r.Token = first.Token
	if err := first.proc.ready(ctx, first.active); err != nil {
		return err
	}
	// A new node has a vote after this time, by default ten seconds.
	err := first.write(ctx, "sys/storage/raft/autopilot/configuration", map[string]any{"server_stabilization_time": "1s"})
	if err != nil {
		return err
	}
	for _, v := range r.Nodes[1:] {
		if err := v.Start(ctx); err != nil {
			return err
		}
		if _, err := v.client.Sys().RaftJoinWithContext(ctx, &api.RaftJoinRequest{LeaderAPIAddr: first.Address}); err != nil {
			return err
		}
		v.Token, v.unsealKeys = first.Token, first.unsealKeys
		v.client.SetToken(v.Token)
		if err := v.Unseal(ctx); err != nil {
			return err
		}
	}
	return first.proc.ready(ctx, r.complete)
}

// newRaftNode makes a node that is not started.
func newRaftNode(bin Binaries, name string) (*Vault, error) {
	dir, err := os.MkdirTemp("", "vaultexec-vault-")
	if err != nil {
		return nil, err
	}
	v := &Vault{dir: dir, bin: bin, peers: true}
	if err := v.configureRaft(name); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return v, nil
}

func (v *Vault) configureRaft(name string) error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	v.Address = "http://" + ports[0]
	if v.client, err = newClient(v.Address); err != nil {
		return err
	}
	// The intervals, too, are the least: after them a new node may get its vote.
	return v.writeConfig(ports[0], ports[1], section{"node_id": name, "autopilot_reconcile_interval": "1s", "autopilot_update_interval": "1s"})
}

// complete is content when all nodes have a vote and know who is active.
func (r *Raft) complete(ctx context.Context) error {
	s, err := r.Nodes[0].client.Sys().RaftAutopilotStateWithContext(ctx)
	if err != nil {
		return err
	}
	if s == nil || !s.Healthy || len(s.Voters) != len(r.Nodes) {
		return fmt.Errorf("autopilot is not content: %+v", s)
	}
	for _, v := range r.Nodes {
		if l, err := v.client.Sys().LeaderWithContext(ctx); err != nil || l.LeaderAddress == "" {
			return fmt.Errorf("%s knows of no active node: %v", v.Address, err)
		}
	}
	return nil
}

// Active waits until one node is active, and gives its index.
func (r *Raft) Active(ctx context.Context) (int, error) { return r.ActiveNot(ctx, -1) }

// ActiveNot waits until another node than that is active, which is for after
// a fault: a node that was paused still thinks for a moment that it is active.
func (r *Raft) ActiveNot(ctx context.Context, not int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		for i, v := range r.Nodes {
			if i != not && v.soon(ctx, v.active) == nil {
				return i, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return -1, fmt.Errorf("no node is active: %v", context.Cause(ctx))
		}
	}
}

// askLimit bounds a question to a node that is perhaps paused.
const askLimit = time.Second

func (v *Vault) soon(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return check(ctx)
}

// Addresses are those of all nodes, for a proxy before them.
func (r *Raft) Addresses() []string {
	var addresses []string
	for _, v := range r.Nodes {
		addresses = append(addresses, v.Address)
	}
	return addresses
}

// Restart starts and unseals a node that was killed or shut down, and waits
// until it knows who is active.
func (r *Raft) Restart(ctx context.Context, i int) error {
	v := r.Nodes[i]
	if err := v.Start(ctx); err != nil {
		return err
	}
	if err := v.Unseal(ctx); err != nil {
		return err
	}
	return v.proc.ready(ctx, func(ctx context.Context) error {
		l, err := v.client.Sys().LeaderWithContext(ctx)
		if err == nil && l.LeaderAddress == "" {
			err = errors.New("it knows of no active node")
		}
		return err
	})
}

// Stop ends all nodes and removes everything they have written.
func (r *Raft) Stop() error {
	var errs []error
	for _, v := range r.Nodes {
		errs = append(errs, v.Stop())
	}
	return errors.Join(errs...)
}
