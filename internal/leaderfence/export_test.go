package leaderfence

import "time"

// Sleep is what a machine does to the clocks when it sleeps.
func (f *Fence) Sleep(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	awake := f.now
	f.now = func() clockReading {
		r := awake()
		r.wall = r.wall.Add(d)
		return r
	}
}
