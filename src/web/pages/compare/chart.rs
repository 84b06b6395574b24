//! Horizontal bar charts, as numbers for an SVG.

/// `share` and `at` are percentages of the width; `y` counts pixels, so that text keeps its size at any width.
pub struct Chart {
    pub lanes: Vec<Lane>,
    pub ticks: Vec<AxisTick>,
    pub height: usize,
    /// The content as one sentence, for screen readers.
    pub description: String,
}

/// A label, a value and a bar.
pub struct Lane {
    pub label: &'static str,
    pub value: String,
    pub share: String,
    pub is_session: bool,
    pub y: usize,
}

pub struct AxisTick {
    pub at: String,
    pub label: &'static str,
    pub anchor: &'static str,
    /// Its label is left out on narrow screens.
    pub minor: bool,
}

/// Pixels from one lane to the next.
const LANE_HEIGHT: usize = 46;

/// Pixels for the labels of the axis.
const AXIS_HEIGHT: usize = 20;

pub enum Scale {
    Linear { to: f64 },
    Log { from: f64, to: f64 },
}

impl Scale {
    fn percent(&self, size: f64) -> f64 {
        let share = match self {
            Self::Linear { to } => size / to,
            Self::Log { from, to } => (size / from).log10() / (to / from).log10(),
        };
        // Even the smallest value gets a visible bar.
        100.0 * share.clamp(0.004, 1.0)
    }
}

pub struct ChartBar {
    pub label: &'static str,
    pub value: String,
    pub size: f64,
    pub is_session: bool,
}

impl Chart {
    pub fn new(
        bars: impl Iterator<Item = ChartBar>,
        scale: &Scale,
        ticks: &[(f64, &'static str)],
        title: &str,
    ) -> Self {
        let lane = |(at, bar): (usize, ChartBar)| Lane {
            label: bar.label,
            share: format!("{:.2}", scale.percent(bar.size)),
            value: bar.value,
            is_session: bar.is_session,
            y: at * LANE_HEIGHT,
        };
        let lanes: Vec<_> = bars.enumerate().map(lane).collect();
        let described: Vec<_> = lanes.iter().map(|lane| format!("{}: {}", lane.label, lane.value)).collect();
        let last = ticks.len().saturating_sub(1);
        let tick = |(at, (size, label)): (usize, &(f64, &'static str))| AxisTick {
            // The first tick is where the bars start; the minimum width of a bar does not apply to it.
            at: format!("{:.2}", if at == 0 { 0.0 } else { scale.percent(*size) }),
            label,
            anchor: match at {
                0 => "start",
                at if at == last => "end",
                _ => "middle",
            },
            minor: at % 2 == 1 && at != last || at == 6,
        };
        Self {
            height: lanes.len() * LANE_HEIGHT + if ticks.is_empty() { 0 } else { AXIS_HEIGHT },
            ticks: ticks.iter().enumerate().map(tick).collect(),
            description: format!("{title}. {}.", described.join("; ")),
            lanes,
        }
    }

    /// Where the lines of the ticks end and their labels stand.
    pub fn axis_y(&self) -> usize {
        self.lanes.len() * LANE_HEIGHT
    }
}
