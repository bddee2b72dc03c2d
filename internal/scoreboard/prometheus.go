package scoreboard

import (
	"strconv"
	"strings"
)

// Prometheus is the picture in the text format of Prometheus, version 0.0.4, as
// a text-file collector takes it. Every name begins with brood_, counters end in
// _total, units are seconds and bytes. A service is named by the label service,
// and by key as well where several have one name. Histograms of which nothing
// is known yet are left out.
func Prometheus(p *Picture) string {
	e := exposition{names: p.titles()}
	e.daemon(p)
	e.services(p)
	return e.text.String()
}

// exposition writes metric families, each with its help and all its samples
// together, as the format wants it.
type exposition struct {
	text strings.Builder
	// names are the labels that tell each service, as they are written.
	names []string
}

// titles are the labels of all services, in their order.
func (p *Picture) titles() []string {
	named := make(map[string]int, len(p.Services))
	for i := range p.Services {
		named[p.Services[i].Name]++
	}
	all := make([]string, len(p.Services))
	for i := range p.Services {
		s := &p.Services[i]
		all[i] = label("service", s.Name)
		if named[s.Name] > 1 {
			all[i] += "," + label("key", s.Key)
		}
	}
	return all
}

// escapes are what the format wants in a label's value.
var escapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func label(name, value string) string {
	return name + `="` + escapes.Replace(strings.ToValidUTF8(value, "�")) + `"`
}

// family begins a metric.
func (e *exposition) family(name, kind, help string) {
	e.text.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// sample writes one value; labels may be "".
func (e *exposition) sample(name, labels, value string) {
	e.text.WriteString(name)
	if labels != "" {
		e.text.WriteString("{" + labels + "}")
	}
	e.text.WriteString(" " + value + "\n")
}

// one is a family with one sample that has no label.
func (e *exposition) one(name, kind, help, value string) {
	e.family(name, kind, help)
	e.sample(name, "", value)
}

func whole[N int | int32 | int64 | uint64](n N) string {
	if n < 0 {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatUint(uint64(n), 10)
}

// seconds are nanoseconds in the base unit.
func seconds(ns int64) string { return strconv.FormatFloat(float64(ns)/1e9, 'g', -1, 64) }

func truth(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

// daemon writes what is known of broodd as a whole.
func (e *exposition) daemon(p *Picture) {
	e.family("brood_info", "gauge", "The daemon that was asked; always 1.")
	e.sample("brood_info", label("version", p.Version)+","+label("mode", p.Mode)+","+label("source", p.Source), "1")
	health, _ := p.Health()
	e.family("brood_health", "gauge", "1 for what the whole is: ready, degraded or failing.")
	for _, h := range []Health{Ready, Degraded, Failing} {
		e.sample("brood_health", label("state", string(h)), truth(h == health))
	}
	e.one("brood_start_time_seconds", "gauge", "When the daemon was started, since the Unix epoch.", seconds(p.Started))
	e.one("brood_stale_seconds", "gauge", "For how long the event loop has not answered; 0 for figures of this moment.", seconds(p.Stale))
	e.one("brood_closing", "gauge", "1 while the daemon is being stopped.", truth(p.Closing))
	e.one("brood_cpu_seconds_total", "counter", "Processor time of the daemon itself.", seconds(p.CPU))
	e.one("brood_memory_bytes", "gauge", "Proportional set size of the daemon itself.", whole(p.Memory))
	e.one("brood_all_workers", "gauge", "Workers of all services together.", whole(p.Workers))
	e.one("brood_all_workers_limit", "gauge", "The most workers of all services together; 0 without such a limit.", whole(p.WorkersMax))
	e.one("brood_reload_refused", "gauge", "1 if the last reload was refused, so that an older configuration is served.", truth(p.Reload != nil && p.Reload.Refused != nil))
	if p.Reload != nil {
		e.one("brood_reload_time_seconds", "gauge", "When the last reload was tried, since the Unix epoch.", seconds(p.Reload.At))
	}
	e.one("brood_loop_busy_seconds_total", "counter", "How long the event loop has been at work.", seconds(p.Loop.Busy))
	e.one("brood_loop_slowest_turn_seconds", "gauge", "The longest turn of the event loop so far.", seconds(p.Loop.Slowest))
	if p.Loop.Turn.Count > 0 {
		e.family("brood_loop_turn_seconds", "histogram", "How long turns of the event loop take.")
		e.histogram("brood_loop_turn_seconds", "", &p.Loop.Turn)
	}
}

// series is a metric with one sample of each service.
type series struct {
	name, kind, help string
	// value is the sample's; "" leaves a service out.
	value func(*Service, *Picture) string
}

var allSeries = []series{
	{"brood_workers_limit", "gauge", "The most workers at one time; 0 without a limit.", func(s *Service, _ *Picture) string { return whole(s.Limit) }},
	{"brood_workers_min", "gauge", "Workers that live always.", func(s *Service, _ *Picture) string { return whole(s.Min) }},
	{"brood_workers_spare", "gauge", "Idle workers that are kept ready.", func(s *Service, _ *Picture) string { return whole(s.Spare) }},
	{"brood_births_total", "counter", "Workers that were born.", func(s *Service, _ *Picture) string { return whole(s.Counts.Births) }},
	{"brood_stillbirths_total", "counter", "Births that brought no process.", func(s *Service, _ *Picture) string { return whole(s.Counts.Stillbirths) }},
	{"brood_clients_total", "counter", "Clients that were taken, where the protocol tells.", func(s *Service, _ *Picture) string {
		if s.Opaque {
			return ""
		}
		return whole(s.Counts.Clients)
	}},
	{"brood_throttles_total", "counter", "How often births were held back.", func(s *Service, _ *Picture) string { return whole(s.Counts.Throttles) }},
	{"brood_throttled", "gauge", "1 while births are held back.", func(s *Service, p *Picture) string { return truth(s.ThrottledUntil > p.At) }},
	{"brood_failed_births_in_a_row", "gauge", "Births that have failed in a row.", func(s *Service, _ *Picture) string { return whole(s.Failures) }},
	{"brood_stresses_total", "counter", "How often stress began.", func(s *Service, _ *Picture) string { return whole(s.Counts.Stresses) }},
	{"brood_stressed", "gauge", "1 while stress is on.", func(s *Service, p *Picture) string { return truth(s.StressUntil > p.At) }},
	{"brood_saturated_seconds_total", "counter", "How long all workers that there may be were busy.", func(s *Service, _ *Picture) string { return seconds(s.Counts.Saturated) }},
	{"brood_wakeups_total", "counter", "How often the service was woken without a client.", func(s *Service, _ *Picture) string { return whole(s.Counts.Wakeups) }},
	{"brood_queue_age_seconds", "gauge", "For how long a client has at least been waiting.", func(s *Service, _ *Picture) string { return seconds(s.QueueAge) }},
	{"brood_last_failure_time_seconds", "gauge", "When a birth or a life failed last, since the Unix epoch.", func(s *Service, _ *Picture) string {
		if s.Failure == nil {
			return ""
		}
		return seconds(s.Failure.At)
	}},
	{"brood_service_cpu_seconds_total", "counter", "Processor time of all workers, the dead and the living.", func(s *Service, _ *Picture) string { return known(s.CPU, seconds) }},
	{"brood_service_memory_bytes", "gauge", "Proportional set size of the living workers.", func(s *Service, _ *Picture) string { return known(s.Memory, whole[int64]) }},
}

// known leaves out what the picture was asked for without.
func known(n int64, format func(int64) string) string {
	if n == 0 {
		return ""
	}
	return format(n)
}

// each writes a family that has one sample of each service.
func (e *exposition) each(p *Picture, m *series) {
	begun := false
	for i := range p.Services {
		value := m.value(&p.Services[i], p)
		if value == "" {
			continue
		}
		if !begun {
			e.family(m.name, m.kind, m.help)
			begun = true
		}
		e.sample(m.name, e.names[i], value)
	}
}

// services writes what is known of each service.
func (e *exposition) services(p *Picture) {
	if len(p.Services) == 0 {
		return
	}
	e.family("brood_service_health", "gauge", "1 for what the service is: ready, degraded or failing.")
	for i := range p.Services {
		health, _ := p.Services[i].Health(p)
		for _, h := range []Health{Ready, Degraded, Failing} {
			e.sample("brood_service_health", e.names[i]+","+label("state", string(h)), truth(h == health))
		}
	}
	e.family("brood_service_state", "gauge", "1 for the state that the service is in; the others are left out.")
	for i := range p.Services {
		e.sample("brood_service_state", e.names[i]+","+label("state", string(p.Services[i].State(p))), "1")
	}
	e.family("brood_workers", "gauge", "Workers by what they do.")
	for i := range p.Services {
		for _, w := range p.Services[i].byState() {
			e.sample("brood_workers", e.names[i]+","+label("state", w.state), whole(w.n))
		}
	}
	e.family("brood_deaths_total", "counter", "Workers that have ended, by reason.")
	for i := range p.Services {
		for _, d := range p.Services[i].Counts.Deaths.byReason() {
			e.sample("brood_deaths_total", e.names[i]+","+label("reason", d.reason), whole(d.n))
		}
	}
	for i := range allSeries {
		e.each(p, &allSeries[i])
	}
	e.queues(p)
	e.histograms(p, "brood_wait_seconds", "From a client seen waiting to a worker that has taken it.", func(s *Service) *Histogram { return &s.Wait })
	e.histograms(p, "brood_job_seconds", "How long a worker was busy with a client.", func(s *Service) *Histogram { return &s.Job })
}

type workersIn struct {
	state string
	n     int
}

func (s *Service) byState() []workersIn {
	return []workersIn{{"starting", s.Starting}, {"idle", s.Idle}, {"busy", s.Busy}, {"retiring", s.Retiring}, {"deaf", s.Deaf}}
}

type deathsBy struct {
	reason string
	n      uint64
}

func (d *Deaths) byReason() []deathsBy {
	return []deathsBy{
		{"done", d.Done},
		{"asked", d.Asked},
		{"failed", d.Failed},
		{"crashed", d.Crashed},
		{"memory", d.Memory},
		{"killed", d.Killed},
	}
}

// queues writes the accept queue of each address.
func (e *exposition) queues(p *Picture) {
	for _, m := range []struct {
		name, help string
		value      func(*Address) int
	}{
		{"brood_queue_clients", "Clients that wait in the kernel's queue of an address.", func(a *Address) int { return a.Queue }},
		{"brood_queue_clients_limit", "The most clients that the queue of an address takes; 0 if that is not known.", func(a *Address) int { return a.QueueMax }},
	} {
		begun := false
		for i := range p.Services {
			for k := range p.Services[i].Listen {
				if !begun {
					e.family(m.name, "gauge", m.help)
					begun = true
				}
				a := &p.Services[i].Listen[k]
				e.sample(m.name, e.names[i]+","+label("address", a.Address), whole(m.value(a)))
			}
		}
	}
}

// histograms writes a histogram of each service that has one.
func (e *exposition) histograms(p *Picture, name, help string, of func(*Service) *Histogram) {
	begun := false
	for i := range p.Services {
		h := of(&p.Services[i])
		if h.Count == 0 {
			continue
		}
		if !begun {
			e.family(name, "histogram", help)
			begun = true
		}
		e.histogram(name, e.names[i], h)
	}
}

// histogram writes one, whose buckets count all that is below their bound.
func (e *exposition) histogram(name, labels string, h *Histogram) {
	inside := labels
	if inside != "" {
		inside += ","
	}
	below := uint64(0)
	for i, n := range h.Buckets {
		below += n
		bound := "+Inf"
		if b := BucketBound(i); b >= 0 {
			bound = seconds(b)
		}
		e.sample(name+"_bucket", inside+label("le", bound), whole(below))
	}
	e.sample(name+"_sum", labels, seconds(h.Sum))
	e.sample(name+"_count", labels, whole(h.Count))
}
