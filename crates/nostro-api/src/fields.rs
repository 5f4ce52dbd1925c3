//! Reads the fields of a body one by one and collects every broken rule.
//!
//! A client that sends three wrong fields learns of all three, each with its JSON pointer (RFC 6901). Unknown and
//! repeated fields are errors: a misspelt `reference` that is ignored is money without its reference. A rule is a
//! function from a value to a type of the core; single and bulk transfers read with the same ones.

use crate::json::JsonValue;
use crate::problem::{Code, FieldError, Problem};
use nostro_core::{AccountNumber, Amount, Balance, BranchCode, Currency, CustomerNumber, Timestamp};
use std::fmt;
use uuid::Uuid;

/// No answer names more broken rules than this: whoever sends a bulk of 8,192 wrong items sees the pattern in
/// the first hundred.
pub(crate) const FIELD_ERRORS_MAX: usize = 100;
/// A name that we do not know is repeated in the answer up to this length.
pub(crate) const UNKNOWN_NAME_CHARS_MAX: usize = 64;

/// The year 9999 begins, in microseconds since 1970.
const TIME_END_MICROS: i64 = 253_370_764_800_000_000;

/// Whether a branch has this code.
pub type HasBranch<'a> = &'a dyn Fn(BranchCode) -> bool;

/// Why a value is not what its field takes.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The rule, and what was found.
    Rule(String),
    /// Well formed, but no branch has this code.
    UnknownBranch(BranchCode),
}

/// What a rule makes of a value.
pub(crate) type Ruled<T> = Result<T, Broken>;

/// Every broken rule of a request.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    list: Vec<FieldError>,
    /// Rules broken other than by naming a branch that does not exist.
    invalid: usize,
    unknown_branches: usize,
}

impl Errors {
    /// Adds one; beyond [`FIELD_ERRORS_MAX`] it is only counted.
    pub(crate) fn push(&mut self, pointer: String, broken: Broken) {
        let detail = match broken {
            Broken::Rule(detail) => {
                self.invalid += 1;
                detail
            }
            Broken::UnknownBranch(code) => {
                self.unknown_branches += 1;
                format!("no branch has the code {code}")
            }
        };
        if self.list.len() < FIELD_ERRORS_MAX {
            self.list.push(FieldError { pointer, detail });
        }
    }

    /// The value, if no rule was broken.
    pub(crate) fn none_or<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.list.is_empty() => Ok(value),
            Some(_) | None => Err(self.into_problem()),
        }
    }

    fn into_problem(self) -> Problem {
        let count = self.invalid + self.unknown_branches;
        let code = if self.invalid == 0 && count > 0 { Code::UnknownBranch } else { Code::InvalidRequest };
        let detail = match self.list.as_slice() {
            [only] if only.pointer.is_empty() => format!("the body {}", only.detail),
            [only] => format!("{}: {}", only.pointer, only.detail),
            _ => format!("{count} fields are not as they must be; errors names the first {}", self.list.len()),
        };
        Problem::new(code, detail).with_errors(self.list)
    }
}

/// Where in the body an object stands, as a JSON pointer (RFC 6901).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pointer {
    /// It is the body.
    Body,
    /// It is an item of a bulk.
    Item {
        /// The field of the body that lists them.
        list: &'static str,
        /// Its place in the list.
        at: usize,
    },
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => Ok(()),
            Self::Item { list, at } => write!(f, "/{list}/{at}"),
        }
    }
}

/// The members of one object, by the names that it may have.
pub(crate) struct Fields<'a, 'e> {
    place: Pointer,
    names: Vec<&'static str>,
    values: Vec<Option<JsonValue<'a>>>,
    errors: &'e mut Errors,
}

impl<'a, 'e> Fields<'a, 'e> {
    /// Sorts an object's members; unknown and repeated ones are errors. `None` if the value is no object.
    pub(crate) fn read(
        value: JsonValue<'a>,
        place: Pointer,
        names: &[&'static str],
        errors: &'e mut Errors,
    ) -> Option<Self> {
        let JsonValue::Object(members) = value else {
            errors.push(place.to_string(), Broken::Rule(format!("must be a JSON object, found {}", value.noun())));
            return None;
        };
        let mut values: Vec<Option<JsonValue<'a>>> = names.iter().map(|_| None).collect();
        for (name, member) in members {
            let slot = names.iter().position(|known| *known == name).and_then(|at| values.get_mut(at));
            match slot {
                Some(slot @ None) => *slot = Some(member),
                Some(Some(_)) => {
                    errors.push(format!("{place}/{name}"), Broken::Rule("this field occurs more than once".to_owned()));
                }
                None => {
                    let rule = format!("unknown field; the fields are {}", names.join(", "));
                    errors.push(format!("{place}/{}", escaped(&name)), Broken::Rule(rule));
                }
            }
        }
        Some(Self { place, names: names.to_vec(), values, errors })
    }

    /// A field that must be there. `None` if it is missing or breaks the rule, which is then among the errors.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(JsonValue<'a>) -> Ruled<T>,
    ) -> Option<T> {
        match self.take(name) {
            Some(value) => self.judge(name, rule(value)),
            None => {
                self.push(name, Broken::Rule("this field is missing".to_owned()));
                None
            }
        }
    }

    /// A field that may be absent or null, then `Some(default)`. `None` if it breaks the rule.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        default: T,
        rule: impl FnOnce(JsonValue<'a>) -> Ruled<T>,
    ) -> Option<T> {
        match self.take(name) {
            None | Some(JsonValue::Null) => Some(default),
            Some(value) => self.judge(name, rule(value)),
        }
    }

    /// Adds a rule that a field breaks together with others.
    pub(crate) fn push(&mut self, name: &str, broken: Broken) {
        self.errors.push(format!("{}/{name}", self.place), broken);
    }

    fn take(&mut self, name: &'static str) -> Option<JsonValue<'a>> {
        let at = self.names.iter().position(|known| *known == name)?;
        self.values.get_mut(at)?.take()
    }

    fn judge<T>(&mut self, name: &'static str, ruled: Ruled<T>) -> Option<T> {
        match ruled {
            Ok(value) => Some(value),
            Err(broken) => {
                self.push(name, broken);
                None
            }
        }
    }
}

/// The items of a bulk, in its order: 1 to `items_max` of them in the one field of its body. A malformed one refuses
/// them all.
pub(crate) fn bulk<'a, T>(
    value: JsonValue<'a>,
    names: &'static [&'static str; 1],
    items_max: usize,
    mut read: impl FnMut(JsonValue<'a>, Pointer, &mut Errors) -> Option<T>,
) -> Result<Vec<T>, Problem> {
    let [list] = *names;
    let mut errors = Errors::default();
    let items = Fields::read(value, Pointer::Body, names, &mut errors)
        .and_then(|mut fields| fields.required(list, |value| list_of(value, list, items_max)));
    let mut all = Vec::with_capacity(items.as_ref().map_or(0, Vec::len));
    for (at, item) in items.into_iter().flatten().enumerate() {
        all.extend(read(item, Pointer::Item { list, at }, &mut errors));
    }
    errors.none_or(Some(all))
}

/// The items of a list of so many at most, and of one at least.
pub(crate) fn list_of<'a>(value: JsonValue<'a>, list: &str, items_max: usize) -> Ruled<Vec<JsonValue<'a>>> {
    match value {
        JsonValue::List(items) if (1..=items_max).contains(&items.len()) => Ok(items),
        JsonValue::List(items) => {
            Err(Broken::Rule(format!("a bulk has 1 to {items_max} {list}, this one has {}", items.len())))
        }
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) | JsonValue::Text(_) | JsonValue::Object(_) => {
            Err(Broken::Rule(format!("expected a list of {list}, found {}", value.noun())))
        }
    }
}

/// A name as a token of a JSON pointer.
fn escaped(name: &str) -> String {
    let short: String = name.chars().take(UNKNOWN_NAME_CHARS_MAX).collect();
    short.replace('~', "~0").replace('/', "~1")
}

/// Text, handed to the parser of a type.
pub(crate) fn text<T, E: fmt::Display>(value: &JsonValue<'_>, parse: impl FnOnce(&str) -> Result<T, E>) -> Ruled<T> {
    match value {
        JsonValue::Text(text) => parse(text).map_err(|error| Broken::Rule(error.to_string())),
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) | JsonValue::List(_) | JsonValue::Object(_) => {
            Err(Broken::Rule(format!("expected text, found {}", value.noun())))
        }
    }
}

/// A client's id: a UUID with its hyphens that is not nil.
pub(crate) fn id(value: &JsonValue<'_>) -> Ruled<Uuid> {
    text(value, parse_id)
}

/// A client's id from text.
pub(crate) fn parse_id(text: &str) -> Result<Uuid, &'static str> {
    // The short and braced forms are other spellings of the same id: one spelling keeps logs and URLs searchable.
    let parsed = if text.len() == 36 { Uuid::try_parse(text).ok() } else { None };
    let id = parsed.ok_or("an id is a UUID such as 01938e1c-93d2-7cc4-9ac4-6a8df2a3c001; version 7 is advised")?;
    if id.is_nil() { Err("the nil UUID is not an id") } else { Ok(id) }
}

/// Money to be moved, in minor units.
pub(crate) fn amount(value: &JsonValue<'_>) -> Ruled<Amount> {
    match value {
        JsonValue::Number(_) => Err(Broken::Rule("amount is text: \"100000\" (minor units), not a number".to_owned())),
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Text(_) | JsonValue::List(_) | JsonValue::Object(_) => {
            text(value, Amount::parse)
        }
    }
}

/// A limit in minor units, zero or more.
pub(crate) fn limit(value: &JsonValue<'_>) -> Ruled<Balance> {
    text(value, |text| match text {
        "0" => Ok(Balance::ZERO),
        _ => Amount::parse(text)
            .map(|amount| Balance::new(amount.minor_units()))
            .map_err(|_| "a limit is a whole number of minor units as text, \"0\" or 1 to 18 digits"),
    })
}

/// True or false.
pub(crate) fn flag(value: &JsonValue<'_>) -> Ruled<bool> {
    match value {
        JsonValue::Bool(flag) => Ok(*flag),
        JsonValue::Null | JsonValue::Number(_) | JsonValue::Text(_) | JsonValue::List(_) | JsonValue::Object(_) => {
            Err(Broken::Rule(format!("expected true or false, found {}", value.noun())))
        }
    }
}

/// An instant as RFC 3339 has it, which every database can keep.
pub(crate) fn time(value: &JsonValue<'_>) -> Ruled<Timestamp> {
    let time = text(value, str::parse::<Timestamp>)?;
    if (0..TIME_END_MICROS).contains(&time.micros()) {
        Ok(time)
    } else {
        Err(Broken::Rule("a time is of the years 1970 to 9998".to_owned()))
    }
}

/// A currency of ISO 4217.
pub(crate) fn currency(value: &JsonValue<'_>) -> Ruled<Currency> {
    text(value, str::parse)
}

/// A branch that exists.
pub(crate) fn branch(value: &JsonValue<'_>, has_branch: HasBranch<'_>) -> Ruled<BranchCode> {
    text(value, str::parse::<BranchCode>).and_then(|code| existing(code, code, has_branch))
}

/// The number of an account at a branch that exists.
pub(crate) fn account_number(value: &JsonValue<'_>, has_branch: HasBranch<'_>) -> Ruled<AccountNumber> {
    text(value, str::parse::<AccountNumber>).and_then(|number| existing(number.branch(), number, has_branch))
}

/// The number of a customer of a branch that exists.
pub(crate) fn customer_number(value: &JsonValue<'_>, has_branch: HasBranch<'_>) -> Ruled<CustomerNumber> {
    text(value, str::parse::<CustomerNumber>).and_then(|number| existing(number.branch(), number, has_branch))
}

fn existing<T>(code: BranchCode, value: T, has_branch: HasBranch<'_>) -> Ruled<T> {
    if has_branch(code) { Ok(value) } else { Err(Broken::UnknownBranch(code)) }
}
