//! A QR code (ISO/IEC 18004) as one SVG path: no script and no image request.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

use crate::db::Fault;

/// Light modules around the code, which scanners need.
const QUIET: usize = 4;

pub struct Qr {
    /// Width and height, quiet zone included.
    pub size: usize,
    /// The dark modules, as horizontal runs.
    pub path: String,
}

impl Qr {
    pub fn of(text: &str) -> Result<Self, Fault> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(Fault::bug)?;
        let width = code.width();
        let mut path = String::new();
        for (y, row) in code.to_colors().chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run.first() == Some(&Color::Dark) {
                    // Writing to a string cannot fail.
                    let _ = write!(path, "M{} {}h{}v1h-{}z", x + QUIET, y + QUIET, run.len(), run.len());
                }
                x += run.len();
            }
        }
        Ok(Self { size: width + 2 * QUIET, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_once() {
        let text = "otpauth://totp/Latchkey:ada%40example%2Eorg?secret=MZXW6YTBOI";
        let (qr, code) =
            (Qr::of(text).unwrap(), QrCode::with_error_correction_level(text, EcLevel::M).unwrap());
        let runs = qr.path.split('h').skip(1).step_by(2);
        let drawn: usize = runs.map(|run| run.split('v').next().unwrap().parse::<usize>().unwrap()).sum();
        assert_eq!(drawn, code.to_colors().iter().filter(|color| **color == Color::Dark).count());
        assert_eq!(qr.size, code.width() + 8);
    }
}
