package telemetry

import "runtime"

// Process reads the few numbers of the run-time system by which leaks are seen.
func Process() []Reading {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return []Reading{
		Gauge("go_goroutines", "Goroutines that exist.", float64(runtime.NumGoroutine())),
		Gauge("go_memstats_heap_alloc_bytes", "Memory of objects, dead ones too that were not collected yet.", float64(m.HeapAlloc)),
		Gauge("go_memstats_sys_bytes", "Memory that the process has from the operating system.", float64(m.Sys)),
	}
}
