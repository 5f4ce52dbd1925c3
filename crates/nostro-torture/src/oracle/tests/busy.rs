//! A made-up history with holds, reversals, chains, changes and refusals of every sort, and the books that it left: kept as
//! a clerk would keep them, one batch after the other, by what is said of each to have been posted or refused.

use super::{AZ, AZ_CASH, TX, World, attempt, content, id, mark};
use crate::books::{AccountRow, Books, ChangeRow, HoldRow, Particulars, ReversalRow, Row, Terms};
use crate::history::{
    Answer, Chain, Change, ChangeAnswer, Content, History, Kind, Link, Micros, NewTerms, Sent, Shape,
};
use crate::oracle::{batches, branch_of, code, moves_money, particulars, touched};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A second account of each branch.
pub(super) const AZ_OTHER: i64 = AZ + 1;
pub(super) const TX_OTHER: i64 = TX + 1;

/// So much was moved, reserved or given back; or the code of the refusal.
type Done = Result<i64, &'static str>;

/// The world, with names for its requests.
pub(super) struct Busy {
    pub(super) world: World,
    names: BTreeMap<&'static str, usize>,
    now: i64,
    batch: usize,
    /// Of each hold what is left.
    left: BTreeMap<Uuid, i64>,
}

/// By these the requests of the world are named. What each does is in [`busy`].
pub(super) fn busy() -> Busy {
    let mut busy = Busy::new();
    busy.done("deposit", content(Kind::Deposit, AZ_CASH, AZ, 1_000), Ok(1_000));
    let held = busy.done("held", content(Kind::Hold { expires_at: None }, AZ, AZ_OTHER, 300), Ok(300));
    let capture = |hold, is_final| Kind::Capture { hold, is_final };
    busy.done("part", content(capture(held, false), AZ, AZ_OTHER, 100), Ok(100));
    busy.done("last", content(capture(held, true), AZ, AZ_OTHER, 50), Ok(50));
    busy.done("too late", content(capture(held, false), AZ, AZ_OTHER, 1), Err("hold_captured"));
    let due = busy.done("due", content(Kind::Hold { expires_at: Some(busy.now + 15) }, AZ, TX, 200), Ok(200));
    busy.now += 10;
    busy.expires(due, AZ, TX);
    busy.done("expired", content(capture(due, false), AZ, TX, 1), Err("hold_expired"));
    let freed = busy.done("freed", content(Kind::Hold { expires_at: None }, AZ, AZ_OTHER, 40), Ok(40));
    busy.done("release", content(Kind::Release { hold: freed }, AZ, AZ_OTHER, 40), Ok(40));
    busy.done("released", content(Kind::Release { hold: freed }, AZ, AZ_OTHER, 40), Err("hold_released"));
    let moved = busy.done("moved", content(Kind::Transfer, AZ, AZ_OTHER, 120), Ok(120));
    let back = |is_forced| Kind::Reversal { original: moved, is_whole: false, is_forced };
    busy.done("back", content(back(false), AZ_OTHER, AZ, 50), Ok(50));
    busy.done("spent", content(Kind::Transfer, AZ_OTHER, AZ, 220), Ok(220));
    busy.done("not covered", content(back(false), AZ_OTHER, AZ, 70), Err("reversal_not_covered"));
    busy.done("forced", content(back(true), AZ_OTHER, AZ, 70), Ok(70));
    busy.done("beyond", content(back(true), AZ_OTHER, AZ, 1), Err("reversal_exceeded"));
    busy.done("outside", content(Kind::Transfer, AZ_OTHER, AZ, 1), Err("insufficient_funds"));
    busy.done("all", content(Kind::UpTo, AZ, TX, 10_000), Ok(1_070));
    let chain = [
        ("first", content(Kind::Transfer, TX, AZ, 100), Ok(100)),
        ("second", content(Kind::Transfer, AZ, AZ_OTHER, 30), Ok(30)),
        ("third", content(Kind::Transfer, TX, TX_OTHER, 10), Ok(10)),
    ];
    busy.chain(&chain);
    let broken = [
        ("before", content(Kind::Transfer, TX, AZ, 10), Err("chain_broken")),
        ("broken", content(Kind::Transfer, AZ, AZ_OTHER, 5_000), Err("insufficient_funds")),
        ("after", content(Kind::Transfer, TX, TX_OTHER, 1), Err("chain_broken")),
    ];
    busy.chain(&broken);
    busy.change(AZ, NewTerms { ceiling: Some(Some(500)), ..NewTerms::default() });
    busy.change(TX_OTHER, NewTerms { state: Some("credits_frozen"), ..NewTerms::default() });
    busy.done("too high", content(Kind::Transfer, TX, AZ, 900), Err("ceiling_exceeded"));
    busy.done("frozen", content(Kind::Transfer, TX, TX_OTHER, 5), Err("credit_account_frozen"));
    let open = busy.done("open", content(Kind::Hold { expires_at: None }, TX, AZ, 100), Ok(100));
    busy.done("too much", content(capture(open, false), TX, AZ, 101), Err("hold_exceeded"));
    busy
}

impl Busy {
    fn new() -> Self {
        let opened = |terms| AccountRow { balance: 0, held: 0, seq: 0, terms, limit_exceeded: false };
        let customer = opened(Some(Terms::default()));
        let arizona = [(AZ, customer), (AZ_OTHER, customer), (AZ_CASH, opened(None))];
        let texas = [(TX, customer), (TX_OTHER, customer)];
        let books =
            |accounts: &[(i64, AccountRow)]| Books { accounts: accounts.iter().copied().collect(), ..Books::default() };
        let books = BTreeMap::from([(1, books(&arizona)), (2, books(&texas))]);
        let world = World { history: History::default(), books };
        Self { world, names: BTreeMap::new(), now: 0, batch: 0, left: BTreeMap::new() }
    }

    /// One request in a batch of its own.
    fn done(&mut self, name: &'static str, content: Content, done: Done) -> Uuid {
        let id = id(self.world.history.sent.len());
        self.batch(&[(name, content, done)]);
        id
    }

    /// A chain in a batch of its own.
    fn chain(&mut self, links: &[(&'static str, Content, Done)]) {
        let first = self.world.history.sent.len();
        let length = u16::try_from(links.len()).unwrap();
        let linked = (0_u16..).zip(links).map(|(position, (name, content, done))| {
            (*name, Content { link: Some(Link { chain: id(first), position, length }), ..*content }, *done)
        });
        let linked: Vec<_> = linked.collect();
        self.batch(&linked);
        let links = (first..first + linked.len()).map(|sent| (sent, 0)).collect();
        self.world.history.chains.push(Chain { shape: Shape::Linked, links });
    }

    fn batch(&mut self, requests: &[(&'static str, Content, Done)]) {
        self.now += 10;
        self.batch += 1;
        let batch = format!("AZ-1-{}", self.batch);
        let moment = Micros::try_from(self.now).unwrap();
        let mut parts: Vec<i64> = Vec::new();
        for (name, content, done) in requests {
            let at = self.world.history.sent.len();
            self.names.insert(*name, at);
            let answer = match done {
                Ok(amount) => super::posted(&batch, *amount),
                Err(code) => Answer::Refused { replayed: false, code: (*code).into() },
            };
            let attempts = vec![attempt(moment - 5, moment + 1, answer)];
            self.world.history.sent.push(Sent { id: id(at), contents: vec![*content], attempts });
            let branches = touched(content.kind.moves_money(), content.debit, content.credit);
            let row = self.row(at, content, done);
            self.record(&batch, &branches, &row);
            parts.extend(branches);
        }
        self.mark(&batch, parts);
    }

    fn row(&self, at: usize, content: &Content, done: &Done) -> Row {
        let amount = done.unwrap_or(content.amount);
        let mut row = super::row(at, Content { amount, ..*content }, "", None, None);
        row.posted_at = self.now;
        row.refusal = done.err().map(Into::into);
        row.particulars = particulars(content);
        row.link = content.link;
        row
    }

    /// Writes the row at its branches, and what it does to accounts, holds and originals.
    fn record(&mut self, batch: &str, branches: &[i64], row: &Row) {
        let branches = if row.refusal.is_some() { &branches[..1] } else { branches };
        for branch in branches {
            let mut own = Row { batch: batch.into(), ..row.clone() };
            if row.refusal.is_none() && moves_money(&row.kind) {
                own.debit_side = self.post(*branch, row.debit, -row.amount);
                own.credit_side = self.post(*branch, row.credit, row.amount);
            }
            self.world.books.get_mut(branch).unwrap().rows.push(own);
        }
        if row.refusal.is_none() {
            self.take(row);
        }
    }

    fn post(&mut self, branch: i64, account: i64, change: i64) -> Option<(i64, i64)> {
        let row = self.world.books.get_mut(&branch).unwrap().accounts.get_mut(&account)?;
        row.balance += change;
        row.seq += 1;
        Some((row.seq, row.balance))
    }

    /// What a posted row does to a hold, or to what is left of a transfer.
    fn take(&mut self, row: &Row) {
        let Particulars { hold, is_final, original, .. } = row.particulars;
        let books = self.world.books.get_mut(&branch_of(row.debit)).unwrap();
        let left = self.left.entry(hold.unwrap_or(row.id)).or_insert(0);
        let held = match &*row.kind {
            "hold" => row.amount,
            "capture" if is_final == Some(true) => -*left,
            "capture" | "release" | "expiry" => -row.amount,
            _ => 0,
        };
        *left += held;
        books.accounts.get_mut(&row.debit).unwrap().held += held;
        if let Some(original) = original {
            let moved = self.world.history.sent.iter().find(|sent| sent.id == original).unwrap().contents[0].amount;
            let reversal = books.reversals.entry(original).or_insert(ReversalRow { amount: moved, reversed: 0 });
            reversal.reversed += row.amount;
        }
        let Some(id) = hold.or((&*row.kind == "hold").then_some(row.id)) else { return };
        let opened = HoldRow { amount: row.amount, captured: 0, released: 0, state: "open".into() };
        let hold = books.holds.entry(id).or_insert(opened);
        let captured = if &*row.kind == "capture" { row.amount } else { 0 };
        hold.captured += captured;
        if *left == 0 {
            hold.released = hold.amount - hold.captured;
            hold.state = match &*row.kind {
                "capture" => "captured".into(),
                "release" => "released".into(),
                _ => "expired".into(),
            };
        }
    }

    /// By nobody's request.
    fn expires(&mut self, hold: Uuid, debit: i64, credit: i64) {
        self.now += 10;
        self.batch += 1;
        let batch = format!("AZ-1-{}", self.batch);
        let amount = self.left[&hold];
        let mut row =
            super::row(900 + self.batch, content(Kind::Release { hold }, debit, credit, amount), "", None, None);
        row.kind = "expiry".into();
        row.posted_at = self.now;
        row.particulars = Particulars { hold: Some(hold), ..Particulars::default() };
        self.record(&batch, &[branch_of(debit)], &row);
        self.mark(&batch, vec![branch_of(debit)]);
    }

    /// The batch is committed at its parts, with nets where money went from one to the other.
    fn mark(&mut self, batch: &str, mut parts: Vec<i64>) {
        parts.sort_unstable();
        parts.dedup();
        let names: Vec<&str> = parts.iter().map(|part| code(*part)).collect();
        for (at, part) in parts.iter().enumerate() {
            let books = self.world.books.get_mut(part).unwrap();
            let marks = if at == 0 { &mut books.decisions } else { &mut books.markers };
            marks.insert(batch.into(), mark(&names));
            let is_across = |row: &&Row| {
                let branches = touched(moves_money(&row.kind), row.debit, row.credit);
                &*row.batch == batch && row.refusal.is_none() && branches.len() == 2
            };
            let across: Vec<&Row> = books.rows.iter().filter(is_across).collect();
            if let [first, ..] = across[..] {
                let owed = |row: &&Row| if branch_of(row.debit) == *part { row.amount } else { -row.amount };
                let net = (across.iter().map(owed).sum(), batches::hash(across.clone()));
                let key = (batch.into(), code(3 - *part).into(), first.currency.clone());
                books.nets.insert(key, net);
            }
            for row in books.accounts.values_mut() {
                let Some(Terms { limit, ceiling, .. }) = row.terms else { continue };
                let is_above = ceiling.is_some_and(|ceiling| row.balance > ceiling);
                row.limit_exceeded = row.balance - row.held + limit < 0 || is_above;
            }
            books.read_at = self.now;
        }
    }

    fn change(&mut self, account: i64, terms: NewTerms) {
        self.now += 10;
        let id = id(800 + self.world.history.changes.len());
        self.world.history.changes.push(Change { id, account, terms, answers: vec![ChangeAnswer::Changed] });
        let books = self.world.books.get_mut(&branch_of(account)).unwrap();
        let row = books.accounts.get_mut(&account).unwrap();
        let before = row.terms.unwrap();
        let state = terms.state.map_or(before, |state| Terms::new(before.limit, before.ceiling, state));
        let after = Terms { ceiling: terms.ceiling.unwrap_or(before.ceiling), ..state };
        row.terms = Some(after);
        books.changes.push(ChangeRow { id, account, before, after, changed_at: self.now });
    }

    /// The request of that name.
    pub(super) fn sent(&mut self, name: &str) -> &mut Sent {
        &mut self.world.history.sent[self.names[name]]
    }

    /// Its rows, in branch order.
    pub(super) fn rows(&mut self, name: &str) -> Vec<&mut Row> {
        let id = id(self.names[name]);
        let rows = self.world.books.values_mut().flat_map(|books| &mut books.rows);
        rows.filter(|row| row.id == id).collect()
    }

    /// Its first row.
    pub(super) fn first_row(&mut self, name: &str) -> &mut Row {
        self.rows(name).swap_remove(0)
    }

    /// Takes its rows and its answers out.
    pub(super) fn without(&mut self, name: &str) {
        let id = id(self.names[name]);
        self.sent(name).attempts.clear();
        self.world.books.values_mut().for_each(|books| books.rows.retain(|row| row.id != id));
    }

    pub(super) fn account(&mut self, account: i64) -> &mut AccountRow {
        self.world.books.get_mut(&branch_of(account)).unwrap().accounts.get_mut(&account).unwrap()
    }

    /// The hold of that name.
    pub(super) fn hold(&mut self, name: &str) -> &mut HoldRow {
        let id = id(self.names[name]);
        self.world.books.values_mut().find_map(|books| books.holds.get_mut(&id)).unwrap()
    }
}
