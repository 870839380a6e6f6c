package leaderfence

import "time"

// Sleep advances the wall clock only, as a machine that sleeps does.
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
