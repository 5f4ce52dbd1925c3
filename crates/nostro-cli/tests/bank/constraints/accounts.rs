//! The directory, customers, accounts and their changes.

use super::Table;

pub(super) static TABLES: [Table; 4] = [
    Table {
        name: "branch",
        before: "",
        taken: &[
            ("code", "'ZZ'"),
            ("number", "77"),
            ("name", "'Z'"),
            ("time_zone", "'UTC'"),
            ("address", "'127.0.0.1:5432'"),
        ],
        refused: &[
            ("branch_code", &[("code", "'Z'")]),
            ("branch_code", &[("code", "'Zz'")]),
            ("branch_code", &[("code", "'ZZZZZ'")]),
            ("branch_number", &[("number", "0")]),
            ("branch_number", &[("number", "9000001")]),
        ],
    },
    Table {
        name: "customer",
        before: "",
        taken: &[("id", "1900000000000"), ("request_id", "gen_random_uuid()"), ("name", "'A'")],
        refused: &[
            ("customer_serial", &[("id", "1899999999999")]),
            ("customer_name", &[("name", "''")]),
            ("customer_name", &[("name", "repeat('x', 141)")]),
        ],
    },
    Table {
        name: "account",
        before: "insert into customer (id, request_id, name) values (1900000000000, gen_random_uuid(), 'A')",
        taken: &[("id", "1000000001042"), ("customer", "1900000000000"), ("kind", "'checking'"), ("currency", "'USD'")],
        refused: &[
            ("account_customer_fkey", &[("customer", "1900000000001")]),
            ("account_serial", &[("id", "1000000000000")]),
            ("account_serial", &[("id", "1900000000000")]),
            ("account_kind", &[("kind", "'gold'")]),
            ("currency_code", &[("currency", "'usd'")]),
            ("currency_code", &[("currency", "'USDT'")]),
            // The bank's own are cash, open and without a ceiling, and nobody else's is cash.
            ("account_owner", &[("kind", "'cash'")]),
            ("account_owner", &[("customer", "null")]),
            ("account_owner", &[("customer", "null"), ("kind", "'cash'"), ("state", "'frozen'")]),
            ("account_owner", &[("customer", "null"), ("kind", "'cash'"), ("ceiling", "5")]),
            ("account_held", &[("held", "-1")]),
            ("account_limits", &[("overdraft_limit", "-1"), ("balance", "1")]),
            ("account_limits", &[("ceiling", "-1"), ("balance", "-1"), ("overdraft_limit", "1")]),
            ("account_within_limits", &[("balance", "-1")]),
            ("account_within_limits", &[("balance", "-6"), ("overdraft_limit", "5")]),
            ("account_within_limits", &[("held", "1")]),
            ("account_within_limits", &[("balance", "6"), ("ceiling", "5")]),
            ("account_within_limits", &[("limit_exceeded", "true")]),
            ("account_within_limits", &[("customer", "null"), ("kind", "'cash'"), ("limit_exceeded", "true")]),
            ("account_seq", &[("seq", "-1")]),
            ("account_state", &[("state", "'gone'")]),
            ("account_closed_is_empty", &[("state", "'closed'"), ("balance", "5")]),
            ("account_closed_is_empty", &[("state", "'closed'"), ("held", "5"), ("overdraft_limit", "5")]),
        ],
    },
    Table {
        name: "account_change",
        before: "",
        taken: &[
            ("id", "gen_random_uuid()"),
            ("account", "1000000001042"),
            ("asked", "'{state}'"),
            ("overdraft_limit_before", "0"),
            ("overdraft_limit_after", "0"),
            ("state_before", "'open'"),
            ("state_after", "'frozen'"),
        ],
        refused: &[
            ("account_change_asked", &[("asked", "'{}'")]),
            ("account_change_asked", &[("asked", "'{state,balance}'")]),
            ("account_change_reason", &[("reason", "''")]),
            ("account_change_reason", &[("reason", "repeat('x', 141)")]),
        ],
    },
];
