package main

import "math"

// figures sum up the rounds of a contender. Other work on the machine only ever
// adds to times, so the best round is nearest to the truth; of memory the worst
// is taken, since it is an upper bound that counts.
type figures struct {
	RowsPerS    float64  `json:"rows_per_s"`
	CPUPerRow   float64  `json:"cpu_us_per_row"`
	ServerCPU   float64  `json:"server_cpu_us_per_row"`
	PeakMiB     float64  `json:"peak_mib"`
	WallS       float64  `json:"wall_s"`
	OutBytes    int64    `json:"out_bytes"`
	Samples     []sample `json:"samples"`
	worstOfWall float64
}

func sumUp(rows int64, samples []sample) *figures {
	f := &figures{CPUPerRow: math.Inf(1), ServerCPU: math.Inf(1), WallS: math.Inf(1), Samples: samples}
	for _, s := range samples {
		f.WallS = min(f.WallS, s.WallS)
		f.CPUPerRow = min(f.CPUPerRow, s.CPUS/float64(rows)*1e6)
		f.ServerCPU = min(f.ServerCPU, s.ServerCPUS/float64(rows)*1e6)
		f.PeakMiB = max(f.PeakMiB, s.PeakMiB)
		f.OutBytes = s.OutBytes
		f.worstOfWall = max(f.worstOfWall, s.WallS)
	}
	f.RowsPerS = float64(rows) / f.WallS
	return f
}

// ratios compares the product with the others. Of what is better when low, the
// ratio is product ÷ other: walls of the drains, CPU, bytes. Of rates too, and
// there more is better.
func ratios(by map[string]*figures) map[string]float64 {
	out := map[string]float64{}
	product := by["product"]
	if product == nil {
		return out
	}
	for _, drain := range []string{"drain", "drain1", "mysqlbinlog", "frames", "producer-perf", "consumer-perf", "franz-go"} {
		if f := by[drain]; f != nil {
			out[drain] = product.WallS / f.WallS
			out[drain+"_cpu"] = product.CPUPerRow / f.CPUPerRow
		}
	}
	for _, rival := range []string{"throwaway", "mydumper", "duckdb", "go-mysql"} {
		if f := by[rival]; f != nil {
			out[rival] = product.RowsPerS / f.RowsPerS
			out[rival+"_cpu"] = product.CPUPerRow / f.CPUPerRow
		}
	}
	fileRatios(by, out)
	if f := by["throwaway"]; f != nil {
		out["size"] = float64(product.OutBytes) / float64(f.OutBytes)
	}
	return out
}
