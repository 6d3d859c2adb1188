//! The widgets, as data, and how they are drawn.

use ratatui::{
    layout::{Constraint, Direction, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{self, Borders, Clear, List, ListState, Paragraph, Row, TableState, Wrap},
    Frame,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Widget {
    /// Parts one below the other.
    Rows { parts: Vec<Part> },
    /// Parts side by side.
    Columns { parts: Vec<Part> },
    Text {
        lines: Vec<Text>,
        #[serde(default)]
        block: Option<Block>,
        /// Lines that lie above the first one shown.
        #[serde(default)]
        scroll: u16,
        #[serde(default)]
        wrap: bool,
    },
    /// Scrolled so far that the selected one is seen.
    List {
        items: Vec<Text>,
        selected: Option<usize>,
        #[serde(default)]
        block: Option<Block>,
    },
    Table {
        #[serde(default)]
        head: Vec<Text>,
        rows: Vec<Vec<Text>>,
        widths: Vec<Size>,
        selected: Option<usize>,
        #[serde(default)]
        block: Option<Block>,
    },
    /// `over` covers the middle of `under`.
    Overlay {
        under: Box<Widget>,
        over: Box<Widget>,
        width: Size,
        height: Size,
    },
}

#[derive(Deserialize)]
pub struct Part {
    size: Size,
    of: Widget,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub enum Size {
    Cells(u16),
    Percent(u16),
    Least(u16),
    Fill(u16),
}

impl Size {
    fn constraint(self) -> Constraint {
        match self {
            Size::Cells(cells) => Constraint::Length(cells),
            Size::Percent(percent) => Constraint::Percentage(percent),
            Size::Least(cells) => Constraint::Min(cells),
            Size::Fill(share) => Constraint::Fill(share),
        }
    }
}

/// One line: a text, or several with styles.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Text {
    Plain(String),
    Styled(Vec<Piece>),
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Piece {
    Plain(String),
    Styled(String, Look),
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub struct Look {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    reversed: bool,
    underlined: bool,
}

#[derive(Deserialize)]
pub struct Block {
    title: Text,
    /// On the lower border, in its middle.
    #[serde(default)]
    bottom: Option<Text>,
    #[serde(default)]
    border: Look,
}

impl Look {
    fn style(&self) -> Style {
        let mut style = Style::new();
        style.fg = self.fg.as_deref().map(colour);
        style.bg = self.bg.as_deref().map(colour);
        for (wanted, modifier) in [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.reversed, Modifier::REVERSED),
            (self.underlined, Modifier::UNDERLINED),
        ] {
            if wanted {
                style = style.add_modifier(modifier);
            }
        }
        style
    }
}

/// The terminal's own colours, which its person has chosen.
fn colour(name: &str) -> Color {
    match name {
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "grey" => Color::Gray,
        "darkGrey" => Color::DarkGray,
        "white" => Color::White,
        _ => Color::Reset,
    }
}

impl Text {
    fn line(&self) -> Line<'_> {
        match self {
            Text::Plain(text) => Line::raw(text),
            Text::Styled(pieces) => Line::from_iter(pieces.iter().map(|piece| match piece {
                Piece::Plain(text) => Span::raw(text),
                Piece::Styled(text, look) => Span::styled(text, look.style()),
            })),
        }
    }
}

fn lines(texts: &[Text]) -> Vec<Line<'_>> {
    texts.iter().map(Text::line).collect()
}

fn frame_of(block: Option<&Block>) -> widgets::Block<'_> {
    let Some(block) = block else {
        return widgets::Block::new();
    };
    let mut drawn = widgets::Block::new()
        .borders(Borders::ALL)
        .border_style(block.border.style())
        .title(block.title.line());
    if let Some(bottom) = &block.bottom {
        drawn = drawn.title_bottom(bottom.line().centered());
    }
    drawn
}

fn highlight() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}

impl Widget {
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect) {
        match self {
            Widget::Rows { parts } => draw_parts(parts, Direction::Vertical, frame, area),
            Widget::Columns { parts } => draw_parts(parts, Direction::Horizontal, frame, area),
            Widget::Text {
                lines: texts,
                block,
                scroll,
                wrap,
            } => {
                let mut text = Paragraph::new(lines(texts))
                    .block(frame_of(block.as_ref()))
                    .scroll((*scroll, 0));
                if *wrap {
                    text = text.wrap(Wrap { trim: false });
                }
                frame.render_widget(text, area);
            }
            Widget::List {
                items,
                selected,
                block,
            } => {
                let list = List::new(lines(items))
                    .block(frame_of(block.as_ref()))
                    .highlight_style(highlight())
                    .highlight_symbol("> ");
                let mut state = ListState::default().with_selected(*selected);
                frame.render_stateful_widget(list, area, &mut state);
            }
            Widget::Table {
                head,
                rows,
                widths,
                selected,
                block,
            } => {
                let rows = rows.iter().map(|row| Row::new(lines(row)));
                let mut table = widgets::Table::new(rows, widths.iter().map(|w| w.constraint()))
                    .block(frame_of(block.as_ref()))
                    .row_highlight_style(highlight())
                    .highlight_symbol("> ");
                if !head.is_empty() {
                    table = table.header(Row::new(lines(head)));
                }
                let mut state = TableState::default().with_selected(*selected);
                frame.render_stateful_widget(table, area, &mut state);
            }
            Widget::Overlay {
                under,
                over,
                width,
                height,
            } => {
                under.draw(frame, area);
                let middle = area.centered(width.constraint(), height.constraint());
                frame.render_widget(Clear, middle);
                over.draw(frame, middle);
            }
        }
    }
}

fn draw_parts(parts: &[Part], direction: Direction, frame: &mut Frame<'_>, area: Rect) {
    let sizes = parts.iter().map(|part| part.size.constraint());
    let areas = Layout::new(direction, sizes).split(area);
    for (part, area) in parts.iter().zip(areas.iter()) {
        part.of.draw(frame, *area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{backend::TestBackend, Terminal};
    use serde_json::json;

    fn drawn(tree: serde_json::Value, width: u16, height: u16) -> Vec<String> {
        let tree: Widget = serde_json::from_value(tree).expect("a tree of widgets");
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal
            .draw(|frame| tree.draw(frame, frame.area()))
            .expect("a frame");
        let buffer = terminal.backend().buffer();
        (0..height)
            .map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect())
            .collect()
    }

    #[test]
    fn a_tree_of_all_widgets() {
        let tree = json!({"type": "rows", "parts": [
            {"size": {"cells": 3}, "of": {"type": "text", "lines": [["a", ["b", {"fg": "red"}]]],
                "block": {"title": "T", "bottom": "1/2"}}},
            {"size": {"fill": 1}, "of": {"type": "columns", "parts": [
                {"size": {"percent": 50}, "of": {"type": "list", "items": ["x", "y", "z"],
                    "selected": 2}},
                {"size": {"least": 1}, "of": {"type": "table", "head": ["H"],
                    "rows": [["r"]], "widths": [{"cells": 4}], "selected": null}},
            ]}},
        ]});
        assert_eq!(
            drawn(tree, 12, 5),
            [
                "┌T─────────┐",
                "│ab        │",
                "└───1/2────┘",
                "  y   H     ",
                "> z   r     "
            ]
        );
    }

    #[test]
    fn an_overlay_hides_what_is_below() {
        let under = json!({"type": "text", "lines": ["aaaa", "aaaa", "aaaa"]});
        let over = json!({"type": "text", "lines": ["b"]});
        let tree = json!({"type": "overlay", "under": under, "over": over,
            "width": {"percent": 50}, "height": {"cells": 1}});
        assert_eq!(drawn(tree, 4, 3), ["aaaa", "ab a", "aaaa"]);
    }

    #[test]
    fn long_lines_wrap_and_scroll() {
        let text =
            |scroll| json!({"type": "text", "lines": ["one two"], "wrap": true, "scroll": scroll});
        assert_eq!(drawn(text(0), 4, 2), ["one ", "two "]);
        assert_eq!(drawn(text(1), 4, 2), ["two ", "    "]);
    }

    #[test]
    fn no_room_is_no_error() {
        let block = json!({"title": "long title"});
        let tree = json!({"type": "list", "items": ["x"], "selected": 7, "block": block});
        drawn(tree, 1, 1);
    }
}
