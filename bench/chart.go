package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
)

// chart is lines over a logarithmic axis.
type chart struct {
	file, title    string
	better         string // which way is good
	xLabel, yLabel string
	xs             []int
	lines          []chartLine
}

type chartLine struct {
	name  string
	class string // of the style sheet
	ys    []spread
}

// latencyChart is birth latency over the number of services. The limit knows
// of one service only and is the same everywhere.
func latencyChart(s *series, services []int) *chart {
	c := &chart{
		file: "latency.svg", title: "Birth latency against the number of services", better: "lower is better",
		xLabel: "services configured", yLabel: "connect to first byte, ms", xs: services,
	}
	limit := chartLine{name: "limit (bare C loop)", class: "limit"}
	for range services {
		limit.ys = append(limit.ys, spreadOf(s.of(bare, latency)))
	}
	c.lines = append(c.masters(s, latency), limit)
	return c
}

// rateChart is births a second over the number of clients.
func rateChart(s *series, clients []int) *chart {
	c := &chart{
		file: "births.svg", title: "Births a second against the number of clients", better: "higher is better",
		xLabel: "clients at once", yLabel: "births a second", xs: clients,
	}
	c.lines = append(c.masters(s, rate), c.line(s, bare, "limit (bare C loops)", "limit", rate))
	return c
}

func (c *chart) masters(s *series, measure string) []chartLine {
	return []chartLine{
		c.line(s, brood, "brood", "brood", measure),
		c.line(s, postfix, "Postfix master", "postfix", measure),
	}
}

func (c *chart) line(s *series, subject, name, class, measure string) chartLine {
	l := chartLine{name: name, class: class}
	for _, x := range c.xs {
		l.ys = append(l.ys, spreadOf(s.of(at(subject, x), measure)))
	}
	return l
}

// The picture, in its own units. The right margin is for the names of the
// lines.
const (
	chartWidth, chartHeight = 720.0, 400.0
	plotLeft, plotRight     = 70.0, 540.0
	plotTop, plotBottom     = 50.0, 340.0
	nameGap                 = 18.0
	tickGap                 = 45.0
	ticksMost               = 6
	chartStyle              = `svg{font:13px system-ui,sans-serif;--ink:#1f2328;--soft:#6e7781;--grid:#d8dee4;--brood:#0a62c9;--postfix:#c2410c;--limit:#6e7781}
@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--soft:#9198a1;--grid:#30363d;--brood:#58a6ff;--postfix:#fb923c;--limit:#9198a1}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-size:15px;font-weight:600}.grid{stroke:var(--grid)}.axis{stroke:var(--soft)}
.line{fill:none;stroke-width:2.5;stroke-linejoin:round}.brood{stroke:var(--brood)}.postfix{stroke:var(--postfix)}.limit{stroke:var(--limit);stroke-width:1.5;stroke-dasharray:5 4}
circle{stroke:none}circle.dlimit{display:none}.dbrood{fill:var(--brood)}.dpostfix{fill:var(--postfix)}.dlimit{fill:var(--limit)}.bar{stroke-dasharray:none;stroke-width:6;stroke-linecap:round;opacity:.25}`
)

// svg draws the chart. It needs no script, and follows the reader's colours.
func (c *chart) svg() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%[1]g" height="%g" role="img" aria-label="%s">`+"\n",
		chartWidth, chartHeight, html.EscapeString(c.title))
	fmt.Fprintf(&b, "<style>%s</style>\n", chartStyle)
	text(&b, plotLeft, 26, "start", "title", c.title)
	text(&b, chartWidth-10, 26, "end", "soft", c.better)
	c.axes(&b)
	names := c.namePlaces()
	for i, l := range c.lines {
		c.draw(&b, &l)
		last := l.ys[len(l.ys)-1].median
		text(&b, plotRight+8, names[i]+4, "start", "d"+l.class, l.name+" "+short(last))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (c *chart) axes(b *bytes.Buffer) {
	step, top := c.scale()
	for y := 0.0; y <= top+step/2; y += step {
		at := c.y(y)
		fmt.Fprintf(b, `<path class="grid" d="M%g %.1fH%g"/>`+"\n", plotLeft, at, plotRight)
		text(b, plotLeft-8, at+4, "end", "soft", strconv.FormatFloat(y, 'g', -1, 32))
	}
	fmt.Fprintf(b, `<path class="axis" d="M%g %gH%g"/>`+"\n", plotLeft, plotBottom, plotRight)
	for i, x := range c.xs {
		at := c.x(x)
		fmt.Fprintf(b, `<path class="axis" d="M%.1f %gv5"/>`+"\n", at, plotBottom)
		if i == len(c.xs)-1 || c.x(c.xs[i+1])-at > tickGap {
			text(b, at, plotBottom+20, "middle", "soft", strconv.Itoa(x))
		}
	}
	text(b, (plotLeft+plotRight)/2, plotBottom+42, "middle", "", c.xLabel+" (logarithmic)")
	middle := (plotTop + plotBottom) / 2
	fmt.Fprintf(b, `<text transform="translate(18 %g) rotate(-90)" text-anchor="middle">%s</text>`+"\n", middle, html.EscapeString(c.yLabel))
}

// draw is a line through the medians, with the quartiles as shades.
func (c *chart) draw(b *bytes.Buffer, l *chartLine) {
	path := ""
	for i, s := range l.ys {
		x, verb := c.x(c.xs[i]), "L"
		if i == 0 {
			verb = "M"
		}
		path += fmt.Sprintf("%s%.1f %.1f", verb, x, c.y(s.median))
		if s.low < s.high {
			fmt.Fprintf(b, `<path class="bar %s" d="M%.1f %.1fV%.1f"/>`+"\n", l.class, x, c.y(s.low), c.y(s.high))
		}
		fmt.Fprintf(b, `<circle class="d%s" cx="%.1f" cy="%.1f" r="4"/>`+"\n", l.class, x, c.y(s.median))
	}
	fmt.Fprintf(b, `<path class="line %s" d="%s"/>`+"\n", l.class, path)
}

// namePlaces are the heights of the lines' names: beside their ends, and not on
// top of each other.
func (c *chart) namePlaces() []float64 {
	places := make([]float64, len(c.lines))
	for i := range c.lines {
		ys := c.lines[i].ys
		places[i] = c.y(ys[len(ys)-1].median)
	}
	for moved := true; moved; {
		moved = false
		for i := range places {
			for j := range places {
				if i != j && places[i] <= places[j] && places[j]-places[i] < nameGap-0.5 && (places[i] != places[j] || i < j) {
					places[j] = places[i] + nameGap
					moved = true
				}
			}
		}
	}
	return places
}

// scale is the distance between two ticks and the end of the axis, both round
// numbers.
func (c *chart) scale() (step, top float64) {
	most := 0.0
	for _, l := range c.lines {
		for _, s := range l.ys {
			most = max(most, s.high)
		}
	}
	if !(most > 0) {
		return 1, 1
	}
	step = math.Pow(10, math.Floor(math.Log10(most/ticksMost)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if most/(step*factor) <= ticksMost {
			step *= factor
			break
		}
	}
	return step, step * math.Ceil(most/step)
}

func (c *chart) x(v int) float64 {
	first, last := math.Log(float64(c.xs[0])), math.Log(float64(c.xs[len(c.xs)-1]))
	return plotLeft + 20 + (math.Log(float64(v))-first)/(last-first)*(plotRight-plotLeft-40)
}

func (c *chart) y(v float64) float64 {
	_, top := c.scale()
	return plotBottom - v/top*(plotBottom-plotTop)
}

func text(b *bytes.Buffer, x, y float64, anchor, class, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`+"\n", x, y, anchor, class, html.EscapeString(s))
}
