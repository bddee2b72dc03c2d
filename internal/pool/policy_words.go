package pool

import "strconv"

// String is the policy in the words of the stories; what it does not want is
// left out.
func (p Policy) String() string {
	s := "limit=" + strconv.Itoa(p.Limit)
	for _, f := range []struct {
		name string
		span Duration
	}{
		{" throttle=", p.Throttle},
		{" wakeup=", p.Wakeup},
		{" kill-after=", p.KillAfter},
		{" patience=", p.Patience},
		{" wait=", p.Wait},
		{" start=", p.StartTimeout},
		{" idle=", p.Idle},
		{" max-age=", p.MaxAge},
		{" heartbeat=", p.Heartbeat},
		{" busy=", p.Busy},
		{" drain=", p.Stop.Drain},
		{" stop=", p.Stop.Timeout},
		{" backoff=", p.Backoff.First},
		{" backoff-max=", p.Backoff.Max},
		{" stable=", p.Backoff.Stable},
	} {
		s += spanOf(f.name, f.span)
	}
	for _, f := range []struct {
		name string
		is   bool
	}{
		{" wakeup-on-use", p.WakeupOnUse},
		{" stress", p.Stress},
		{" stress-keep", p.StressKeep},
		{" opaque", p.Opaque},
		{" single", p.Single},
		{" ready", p.Ready},
	} {
		if f.is {
			s += f.name
		}
	}
	for _, f := range []struct {
		name string
		n    int64
	}{
		{" ramp=", int64(p.Ramp)},
		{" min=", int64(p.Min)},
		{" spare=", int64(p.Spare)},
		{" max-use=", int64(p.MaxUse)},
		{" max-memory=", p.MaxMemory},
		{" signal=", int64(p.Stop.Signal)},
		{" tries=", int64(p.Backoff.Tries)},
	} {
		s += field(f.n > 0, f.name, f.n)
	}
	if p.Backoff.Factor > 0 {
		s += " factor=" + strconv.FormatFloat(p.Backoff.Factor, 'f', -1, 64)
	}
	return s
}
