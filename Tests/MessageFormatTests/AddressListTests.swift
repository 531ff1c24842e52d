import MessageFormat
import Testing

/// Entries as lines: `name|route|local|domain`, `-` for nil; `group:` and `;`.
private func entries(_ value: String, limits: MessageLimits = .default) -> [String] {
    AddressList.parse(bytes(value), limits: limits).entries.map { entry in
        switch entry {
        case .mailbox(let name, let route, let local, let domain):
            "\(name.map { text($0) } ?? "-")|\(route.map { text($0) } ?? "-")|\(text(local))|\(text(domain))"
        case .groupStart(let name): "\(text(name)):"
        case .groupEnd: ";"
        }
    }
}

@Suite struct AddressListTests {
    @Test(
        "an address field is read as its entries",
        arguments: [
            ("jdoe@machine.example", ["-|-|jdoe|machine.example"]),
            ("John Doe <jdoe@machine.example>", ["John Doe|-|jdoe|machine.example"]),
            ("\"Joe Q. Public\" <john@example.com>", ["Joe Q. Public|-|john|example.com"]),
            ("Joe Q. Public <john@example.com>", ["Joe Q. Public|-|john|example.com"]),
            ("\"Giant; \\\"Big\\\" Box\" <s@example.net>", ["Giant; \"Big\" Box|-|s|example.net"]),
            ("a@b, c@d", ["-|-|a|b", "-|-|c|d"]),
            ("<a@b>", ["-|-|a|b"]), ("<>", ["-|-||"]),
            ("a@b (Name)", ["Name|-|a|b"]), ("(c) John <a@b> (d)", ["John|-|a|b"]),
            ("(nested (comment) here) <a@b>", ["nested (comment) here|-|a|b"]),
            ("(esc \\) aped) <a@b>", ["esc ) aped|-|a|b"]),
            ("A (x) B <a@b>", ["A B|-|a|b"]), ("\"A\" B \"C\" <a@b>", ["A B C|-|a|b"]),
            ("<a@b> Name behind", ["Name behind|-|a|b"]),
            ("\"quoted local\"@b", ["-|-|quoted local|b"]), ("<\"a@b\"@c>", ["-|-|a@b|c"]),
            ("\"a@b\"@c", ["-|-|a@b|c"]),
            ("user@[IPv6:2001:db8::1]", ["-|-|user|[IPv6:2001:db8::1]"]),
            ("\u{E9}l\u{E8}ve@ex\u{E4}mple.test", ["-|-|\u{E9}l\u{E8}ve|ex\u{E4}mple.test"]),
            ("J\u{F6}rg <j\u{F6}rg@b>", ["J\u{F6}rg|-|j\u{F6}rg|b"]),
        ])
    func mailboxes(value: String, expected: [String]) { #expect(entries(value) == expected) }

    @Test(
        "groups begin and end, and what stands behind them is in none",
        arguments: [
            ("G:a@b,c@d;", ["G:", "-|-|a|b", "-|-|c|d", ";"]),
            ("Undisclosed recipients:;", ["Undisclosed recipients:", ";"]),
            ("G:a@b; c@d", ["G:", "-|-|a|b", ";", "-|-|c|d"]), ("x@y, G:;", ["-|-|x|y", "G:", ";"]),
            ("G: a@b", ["G:", "-|-|a|b", ";"]), ("\"A: B\":c@d;", ["A: B:", "-|-|c|d", ";"]),
            ("A:B:c@d;", ["A:", "-|-|B:c|d", ";"]), (":;", [":", ";"]), (";", []),
        ])
    func groups(value: String, expected: [String]) { #expect(entries(value) == expected) }

    @Test(
        "obsolete forms of RFC 5322 §4.4 are read",
        arguments: [
            ("jdoe@test  . example", ["-|-|jdoe|test.example"]), ("j . doe @ test", ["-|-|j.doe|test"]),
            ("Mary <@node.test:mary@example.net>", ["Mary|@node.test|mary|example.net"]),
            ("<@a,@b:c@d>", ["-|@a,@b|c|d"]), ("a@b,,, ,c@d", ["-|-|a|b", "-|-|c|d"]),
            ("Pete(nice) <pete(his)@silly(.x).test>", ["Pete|-|pete|silly.test"]),
            ("a\r\n <a\r\n @\r\n b>", ["a|-|a|b"]),
        ])
    func obsolete(value: String, expected: [String]) { #expect(entries(value) == expected) }

    @Test(
        "what is no address shows its text, and takes nothing of its neighbours",
        arguments: [
            ("nobody at all", ["-|-|nobody at all|"]), ("", []), ("  ", []), (",", []), ("@", ["-|-||"]),
            ("(only)", []),
            ("a@b <c@d> <e@f>", ["a@b|-|c|d", "-|-|e|f"]), ("<a@b><c@d>", ["-|-|a|b", "-|-|c|d"]),
            ("<<a@b>>", ["-|-|a|b"]), ("<a@b, c@d", ["-|-|a|b", "-|-|c|d"]), ("a@b>, c@d", ["-|-|a|b", "-|-|c|d"]),
            (">>>", []), ("a@b@c", ["-|-|a|b@c"]), ("\"unclosed <a@b>", ["-|-|unclosed <a@b>|"]),
            ("x (unclosed <a@b>", ["unclosed <a@b>|-|x|"]), ("a b@c", ["-|-|a b|c"]), ("\\", ["-|-|\\|"]),
            ("\"", []), ("(", []), ("<", ["-|-||"]), ("\"\\", ["-|-|\\|"]), ("(\\", []),
        ])
    func malformed(value: String, expected: [String]) { #expect(entries(value) == expected) }

    @Test("encoded words stay as they are: ENVELOPE tells them so (RFC 9051 §7.5.2)")
    func encodedWords() {
        #expect(entries("=?utf-8?Q?J=C3=B6rg?= <a@b>") == ["=?utf-8?Q?J=C3=B6rg?=|-|a|b"])
    }

    @Test("mailboxes with both parts are told as text")
    func mailboxTexts() {
        let list = AddressList.parse(bytes("A <a@b>, G:c@d;, none, <@r:e@f>"))
        #expect(list.mailboxes == ["a@b", "c@d", "e@f"])
    }

    @Test("no octet anywhere in an address makes it loop or trap, and every end of a text is read")
    func everyOctet() {
        let seeds = ["a <b@c>, \"d\" (e) f@g, G:h@i;", "<@a,@b:c@d> (x(y)) \"\\\"\"@[1.2.3.4]"]
        for seed in seeds {
            let original = bytes(seed)
            for place in original.indices {
                _ = AddressList.parse(Array(original[..<place]))
                for octet in UInt8.min...UInt8.max {
                    var changed = original
                    changed[place] = octet
                    #expect(AddressList.parse(changed).entries.count <= 12)
                }
            }
        }
    }
}
