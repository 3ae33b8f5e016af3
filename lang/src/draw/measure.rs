//! How wide a text is, without a font: the widths of a wide sans-serif, so that the others leave air.

use super::scene::Style;

/// Pixels, rounded up.
pub(super) fn width(text: &str, style: Style) -> i32 {
    let thousandths: u64 = text.chars().map(|c| u64::from(advance(c))).sum();
    let bold = if style.is_bold() { 110 } else { 100 };
    (thousandths * style.size_tenths() as u64 * bold).div_ceil(1_000_000) as i32
}

/// Thousandths of the font's size; of a character that is no ASCII, a whole one.
fn advance(c: char) -> u16 {
    match c {
        ' '..='~' => ADVANCES[c as usize - ' ' as usize],
        '·' => 330,
        _ => 1000,
    }
}

/// Of the space and all that follows it in ASCII.
const ADVANCES: [u16; 95] = [
    317, 400, 459, 837, 636, 950, 779, 274, 390, 390, 500, 837, 317, 360, 317, 336, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 336, 336, 837, 837, 837, 530, 1000, 684, 686, 698, 770, 631, 575, 774, 751, 294, 294, 655, 557, 862,
    748, 787, 603, 787, 694, 634, 610, 731, 684, 988, 685, 610, 685, 390, 336, 390, 837, 500, 500, 612, 634, 549, 634,
    615, 352, 634, 633, 277, 277, 579, 277, 974, 633, 611, 634, 634, 411, 520, 392, 633, 591, 817, 591, 591, 524, 636,
    336, 636, 837,
];
