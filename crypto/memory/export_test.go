package memory

// Idle is how long spare blocks are held on to.
const Idle = idle

// Spare is how many blocks a pool holds on to.
func (p *Pool) Spare() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.spare)
}
