//! Chains: drawn over one branch or two, sent in each of the three ways, again, and with another list under the same ids.

use super::Crowd;
use super::cast::soon;
use super::known::Posted;
use crate::history::{Content, Kind, Shape, Unit};
use fastrand::Rng;
use nostro_core::TransferId;
use uuid::Uuid;

/// Links of a chain that is no transfer with many legs.
const LINKS: std::ops::RangeInclusive<usize> = 2..=5;

impl Crowd {
    /// A chain, sent like any request.
    pub(super) async fn chain(&self, random: &mut Rng) -> Option<Unit> {
        let chain = self.open_chain(random);
        self.pursue(random, chain).await;
        Some(chain)
    }

    /// A new chain of any shape.
    pub(super) fn open_chain(&self, random: &mut Rng) -> Unit {
        match random.u32(..10) {
            0..6 => self.open_links(random, Shape::Linked),
            6..8 => self.open_links(random, Shape::Atomic),
            _ => {
                let id = Uuid::now_v7();
                let named =
                    |(place, leg): (u16, Content)| (if place == 0 { id } else { TransferId(id).leg(place).0 }, leg);
                let legs: Vec<(Uuid, Content)> = (0_u16..).zip(self.cast.legs(random)).map(named).collect();
                Unit::Chain(self.recorder.open_chain(Shape::MultiLeg, &legs))
            }
        }
    }

    /// A new chain whose links do anything, also with a hold that one of them places.
    pub(super) fn open_links(&self, random: &mut Rng, shape: Shape) -> Unit {
        let home = random.usize(..2);
        let is_local = random.u32(..3) == 0;
        let mut placed: Option<Posted> = None;
        let mut links: Vec<(Uuid, Content)> = Vec::new();
        for _ in 0..random.usize(LINKS) {
            let branches = if is_local { [home; 2] } else { self.cast.branches(random) };
            let content = match random.u32(..100) {
                0..10 => {
                    let expires_at = (random.u32(..4) == 0).then(|| soon(random));
                    self.cast.content(random, Kind::Hold { expires_at }, branches)
                }
                10..45 if placed.is_some() => self.cast.of_hold(random, placed, branches),
                _ => self.cast.any(random, &self.known, branches),
            };
            let id = Uuid::now_v7();
            if matches!(content.kind, Kind::Hold { .. }) {
                placed = Some(Posted { id, content, amount: content.amount });
            }
            links.push((id, content));
        }
        Unit::Chain(self.recorder.open_chain(shape, &links))
    }

    /// The same ids in another list, after the first or at the same time.
    pub(super) async fn chain_with_other_content(&self, random: &mut Rng) -> Option<Unit> {
        let Unit::Chain(chain) = self.open_links(random, Shape::Linked) else { return None };
        let links: Vec<(usize, Content)> = self
            .recorder
            .chain(chain)
            .links
            .into_iter()
            .map(|(sent, at)| (sent, self.recorder.request(sent, at).1))
            .collect();
        let other = match random.u32(..3) {
            // A link by itself: the first one, which needs none before it.
            0 => {
                let (sent, content) = links[0];
                Unit::Request(sent, self.recorder.vary(sent, Content { link: None, ..content }))
            }
            // A link less.
            1 => Unit::Chain(self.recorder.vary_chain(Shape::Atomic, &links[..links.len() - 1])),
            // One of them with other content.
            _ => {
                let mut links = links;
                let changed = random.usize(..links.len());
                links[changed].1.category += 1;
                Unit::Chain(self.recorder.vary_chain(Shape::Linked, &links))
            }
        };
        Some(self.both(random, [Unit::Chain(chain), other]).await)
    }
}
