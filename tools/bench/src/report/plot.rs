//! Line plots as inline SVG, drawn with the page's own colours so that light, dark and print all work.

use std::fmt::Write;

/// The plot's coordinates, in the SVG's own units.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// How values are laid out on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From 0, evenly.
    Linear,
    /// Each power of ten alike.
    Log,
    /// Shares from 0 to 1, each further nine alike: 90 %, 99 %, 99.9 %.
    Nines,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend says.
    pub name: String,
    /// Its points, in the order of x.
    pub points: Vec<(f64, f64)>,
}

/// A plot with its axes.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Above it.
    pub title: String,
    /// Below it.
    pub x_label: String,
    /// How x is laid out.
    pub x_scale: Scale,
    /// How y is laid out.
    pub y_scale: Scale,
    /// Text of a y value.
    pub y_text: fn(f64) -> String,
    /// What is drawn.
    pub series: Vec<Series>,
}

struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(scale: Scale, values: impl Iterator<Item = f64>, (from, to): (f64, f64)) -> Axis {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            let value = place(scale, value);
            if value.is_finite() {
                low = low.min(value);
                high = high.max(value);
            }
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        match scale {
            Scale::Linear => {
                low = low.min(0.0);
                high = nice_above(high);
            }
            Scale::Log => (low, high) = (low.floor(), high.ceil()),
            Scale::Nines => low = 0.0,
        }
        if high <= low {
            high = low + 1.0;
        }
        Axis { scale, low, high, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (place(self.scale, value) - self.low) / (self.high - self.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = nice_step((self.high - self.low) / 5.0);
                (0..=12)
                    .map(|index| (self.low / step).ceil() * step + step * f64::from(index))
                    .filter(|value| *value <= self.high * 1.0001)
                    .collect()
            }
            Scale::Log => {
                let (low, high) = (self.low as i32, self.high as i32);
                (low..=high).map(|power| 10_f64.powi(power)).collect()
            }
            Scale::Nines => {
                let mut ticks = vec![0.0, 0.5];
                ticks.extend((1..=self.high.floor() as i32).map(|nines| 1.0 - 10_f64.powi(-nines)));
                ticks
            }
        }
    }
}

/// Where a value lies before the axis is stretched to its place.
fn place(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log => {
            if value > 0.0 {
                value.log10()
            } else {
                f64::NAN
            }
        }
        Scale::Nines => {
            if value < 1.0 {
                -(1.0 - value).log10()
            } else {
                f64::NAN
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, at least `least`.
fn nice_step(least: f64) -> f64 {
    if least <= 0.0 || !least.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= least * 0.9999).unwrap_or(least)
}

fn nice_above(high: f64) -> f64 {
    let step = nice_step(high / 5.0);
    (high / step).ceil() * step
}

/// A share as people say it: 99.9 %.
fn share_text(share: f64) -> String {
    let percent = share * 100.0;
    let text = format!("{percent:.4}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

fn plain_text(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => {
            format!("{:.3}", value / 1e6).trim_end_matches('0').trim_end_matches('.').to_owned()
                + "M"
        }
        v if v >= 1e4 => format!("{:.1}", value / 1e3).trim_end_matches(".0").to_owned() + "k",
        _ => format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

/// Text that is safe in HTML.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

impl Plot {
    /// The plot as a figure with its legend.
    pub fn html(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).expect("writing to a string does not fail");
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let points = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let x = Axis::new(self.x_scale, points().map(|point| point.0), (LEFT, WIDTH - RIGHT));
        let y = Axis::new(self.y_scale, points().map(|point| point.1), (HEIGHT - BOTTOM, TOP));
        writeln!(out, "<figure><figcaption>{}</figcaption>", escape(&self.title))?;
        writeln!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(&self.title)
        )?;
        for tick in y.ticks() {
            let at = y.at(tick);
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                (self.y_text)(tick)
            )?;
        }
        for tick in x.ticks() {
            let at = x.at(tick);
            let text =
                if self.x_scale == Scale::Nines { share_text(tick) } else { plain_text(tick) };
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                HEIGHT - BOTTOM,
                HEIGHT - BOTTOM + 16.0
            )?;
        }
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 8.0,
            escape(&self.x_label)
        )?;
        for (number, series) in self.series.iter().enumerate() {
            let drawn = series.points.iter().filter(|point| {
                place(self.x_scale, point.0).is_finite() && place(self.y_scale, point.1).is_finite()
            });
            let path: Vec<String> =
                drawn.map(|point| format!("{:.1},{:.1}", x.at(point.0), y.at(point.1))).collect();
            writeln!(
                out,
                "<polyline class=\"line c{}\" points=\"{}\"><title>{}</title></polyline>",
                number % 8,
                path.join(" "),
                escape(&series.name)
            )?;
        }
        writeln!(out, "</svg><ul class=\"legend\">")?;
        for (number, series) in self.series.iter().enumerate() {
            writeln!(
                out,
                "<li><svg viewBox=\"0 0 20 8\"><line class=\"line c{}\" x1=\"0\" x2=\"20\" y1=\"4\" y2=\"4\"/></svg>{}</li>",
                number % 8,
                escape(&series.name)
            )?;
        }
        writeln!(out, "</ul></figure>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> String {
        Plot {
            title: "a <b>".to_owned(),
            x_label: "x".to_owned(),
            x_scale: Scale::Nines,
            y_scale: Scale::Log,
            y_text: plain_text,
            series: vec![Series { name: "s & t".to_owned(), points }],
        }
        .html()
    }

    #[test]
    fn a_plot_stays_in_its_frame_and_is_well_formed() {
        for points in [
            vec![],
            vec![(0.0, 0.0)],
            vec![(0.0, 10.0), (0.5, 20.0), (0.999, 5000.0), (1.0, 6000.0)],
            vec![(f64::NAN, f64::INFINITY), (0.5, -1.0)],
        ] {
            let html = plot(points);
            assert!(html.contains("a &lt;b&gt;") && html.contains("s &amp; t"));
            assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
            assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
        }
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(nice_above(873.0), 1000.0);
        assert_eq!(nice_step(0.3), 0.5);
        assert_eq!([0.0, 0.5, 0.9, 0.999].map(share_text), ["0%", "50%", "90%", "99.9%"]);
        assert_eq!([0.5, 250.0, 12_000.0, 2e6].map(plain_text), ["0.5", "250", "12k", "2M"]);
        let axis = Axis::new(Scale::Linear, [0.0, 873.0].into_iter(), (0.0, 100.0));
        assert_eq!(axis.ticks(), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
    }
}
