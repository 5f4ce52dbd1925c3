//! What files look like in the wild, and which line is named when something is wrong.

use super::*;

const COLUMNS: Columns = Columns { required: &["ref", "name"], optional: &["note"] };

/// Each row as `line ref|name|note`, then the findings.
fn read(bytes: &[u8]) -> Vec<String> {
    let (mut input, mut findings) = (bytes, Findings::default());
    let mut read = Vec::new();
    if let Some(mut records) = Records::open("f.csv", &mut input, COLUMNS, &mut findings).unwrap() {
        while let Some(mut row) = records.next_row(&mut findings).unwrap() {
            let line = row.line();
            let mut field = |name| row.optional(name, "-".to_owned(), |text| Ok::<_, &str>(text.to_owned()));
            let fields = ["ref", "name", "note"].map(|name| field(name).unwrap_or_default());
            read.push(format!("{line} {}", fields.join("|")));
        }
    }
    read.extend(findings.named().iter().cloned());
    read
}

#[test]
fn rows_are_read_whatever_the_ends_of_lines_and_the_order_of_columns() {
    for (bytes, expected) in [
        (&b"ref,name\n1,Ada\n2,Alan\n"[..], &["2 1|Ada|-", "3 2|Alan|-"][..]),
        (b"ref,name\n1,Ada", &["2 1|Ada|-"]),
        (b"ref,name\r\n1,Ada\r\n2,Alan\r\n", &["2 1|Ada|-", "3 2|Alan|-"]),
        (b"\xef\xbb\xbfref,name\r\n1,Ada\r\n", &["2 1|Ada|-"]),
        (b"\n\r\nref,name\n\n\n1,Ada\n\r\n2,Alan\n\n", &["6 1|Ada|-", "8 2|Alan|-"]),
        (b"note,name,ref\nx,Ada,1\n", &["2 1|Ada|x"]),
        (
            b"\"ref\",\"name\"\n\"1\",\"Lovelace, Ada\"\n2,\"say \"\"hi\"\"\"\n",
            &["2 1|Lovelace, Ada|-", "3 2|say \"hi\"|-"],
        ),
        (b"ref,name,note\n1,O\"Brien,\n", &["2 1|O\"Brien|-"]),
        (b"ref,name\n", &[]),
    ] {
        assert_eq!(read(bytes), expected, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_the_rest_is_read() {
    for (bytes, expected) in [
        (
            &b"ref,name\n1\n2,Alan,x\n3,Grace\n"[..],
            &[
                "4 3|Grace|-",
                "f.csv:2: this line has 1 fields, the header has 2",
                "f.csv:3: this line has 3 fields, the header has 2",
            ][..],
        ),
        // A quote that is not closed spoils its line only.
        (
            b"ref,name\n1,\"Ada\n2,Alan\n3,\"Grace\"\n",
            &["3 2|Alan|-", "4 3|Grace|-", "f.csv:2: a quote is not closed on this line"],
        ),
        (b"ref,name\n1,A,b,c,d,e,f,g,h,i,j\n2,Alan\n", &["3 2|Alan|-", "f.csv:2: this line has more than 8 fields"]),
        (b"ref,name\n1,\xff\n2,Alan\n", &["2 1||-", "3 2|Alan|-", "f.csv:2: name: this field is not UTF-8"]),
    ] {
        assert_eq!(read(bytes), expected, "{}", String::from_utf8_lossy(bytes));
    }
    let long = format!("ref,name\n1,{}\n2,Alan\n", "x".repeat(LINE_BYTES_MAX));
    assert_eq!(read(long.as_bytes()), ["3 2|Alan|-", "f.csv:2: a line has at most 16384 bytes"]);
}

#[test]
fn a_header_that_is_not_as_it_must_be_is_named() {
    let expected = "the first line names the columns: ref, name, note (may be left out)";
    for (bytes, rules) in [
        (&b""[..], vec![format!("f.csv:1: the file is empty; {expected}")]),
        (b"\n\n", vec![format!("f.csv:2: the file is empty; {expected}")]),
        (b"ref\n1\n", vec![format!("f.csv:1: the column name is missing; {expected}")]),
        (b"ref,name,name\n", vec!["f.csv:1: the column name is there twice".to_owned()]),
        (
            b"\nref,Name\n",
            vec![
                format!("f.csv:2: unknown column \"Name\"; {expected}"),
                format!("f.csv:2: the column name is missing; {expected}"),
            ],
        ),
        (
            b"ref;name\n1;Ada\n",
            vec![
                format!("f.csv:1: unknown column \"ref;name\"; {expected}"),
                format!("f.csv:1: the column ref is missing; {expected}"),
                format!("f.csv:1: the column name is missing; {expected}"),
            ],
        ),
    ] {
        assert_eq!(read(bytes), rules, "{}", String::from_utf8_lossy(bytes));
    }
}
