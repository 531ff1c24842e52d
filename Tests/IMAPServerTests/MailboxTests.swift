import MailStore
import MartletCore
import Testing

@Suite(.serialized) struct MailboxTests {
    @Test("LIST shows the standard mailboxes with their uses, and what patterns match")
    func list() async throws {
        let server = try await TestServer()
        let client = try server.login()
        #expect(
            client.command("LIST \"\" *") == """
                * LIST (\\HasNoChildren) "/" INBOX\r
                * LIST (\\HasNoChildren \\Archive) "/" Archive\r
                * LIST (\\HasNoChildren \\Drafts) "/" Drafts\r
                * LIST (\\HasNoChildren \\Junk) "/" Junk\r
                * LIST (\\HasNoChildren \\Sent) "/" Sent\r
                * LIST (\\HasNoChildren \\Trash) "/" Trash\r
                T OK LIST completed\r\n
                """)
        #expect(client.command("LIST \"\" \"\"") == "* LIST (\\Noselect) \"/\" \"\"\r\nT OK LIST completed\r\n")
        #expect(client.command("LIST \"\" inbox") == "* LIST (\\HasNoChildren) \"/\" INBOX\r\nT OK LIST completed\r\n")
        _ = client.command("CREATE Work/2026/May")
        #expect(client.command("LIST \"\" %ork") == "* LIST (\\HasChildren) \"/\" Work\r\nT OK LIST completed\r\n")
        #expect(client.command("LIST Work/ %") == "* LIST (\\HasChildren) \"/\" Work/2026\r\nT OK LIST completed\r\n")
        #expect(
            client.command("LIST \"\" W*6*")
                == "* LIST (\\HasChildren) \"/\" Work/2026\r\n* LIST (\\HasNoChildren) \"/\" Work/2026/May\r\nT OK LIST completed\r\n"
        )
        #expect(
            client.command("LIST \"\" %/%/%")
                == "* LIST (\\HasNoChildren) \"/\" Work/2026/May\r\nT OK LIST completed\r\n")
        _ = client.command("DELETE Work/2026")
        #expect(
            client.command("LIST \"\" Work/%")
                == "* LIST (\\Noselect \\HasChildren) \"/\" Work/2026\r\nT OK LIST completed\r\n")
        await server.stop()
    }

    @Test("SELECT names the first unseen message until IMAP4rev2 is enabled (RFC 3501 §6.3.1)")
    func firstUnseen() async throws {
        let server = try await TestServer()
        for flags in [.seen, .seen, [], .seen, .flagged] as [Flags] {
            try await server.add("A: b\r\n\r\n", flags: NamedFlags(system: flags))
        }
        try await server.add("A: b\r\n\r\n", to: "Sent", flags: NamedFlags(system: .seen))
        let client = try server.login()
        #expect(client.command("SELECT INBOX").contains("* OK [UNSEEN 3] First unseen message\r\n"))
        #expect(client.command("EXAMINE INBOX").contains("* OK [UNSEEN 3] First unseen message\r\n"))
        #expect(!client.command("SELECT Sent").contains("UNSEEN"))
        _ = client.command("ENABLE IMAP4rev2")
        #expect(!client.command("SELECT INBOX").contains("UNSEEN"))
        await server.stop()
    }

    @Test("LIST-EXTENDED selects and returns what is asked (RFC 5258, RFC 5819, RFC 6154)")
    func extended() async throws {
        let server = try await TestServer()
        let client = try server.login()
        for name in ["Fruit/Apple", "Fruit/Banana", "Vegetable"] { _ = client.command("CREATE \(name)") }
        _ = client.command("SUBSCRIBE Fruit/Banana")
        _ = client.command("SUBSCRIBE Gone")
        for name in ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"] {
            _ = client.command("UNSUBSCRIBE \(name)")
        }
        #expect(
            client.command("LIST (SUBSCRIBED) \"\" *") == """
                * LIST (\\HasNoChildren \\Subscribed) "/" Fruit/Banana\r
                * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" Gone\r
                T OK LIST completed\r\n
                """)
        #expect(
            client.command("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %") == """
                * LIST (\\HasChildren) "/" Fruit ("CHILDINFO" ("SUBSCRIBED"))\r
                * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" Gone\r
                T OK LIST completed\r\n
                """)
        #expect(
            client.command("LIST (SPECIAL-USE) \"\" (J* T*) RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN))") == """
                * LIST (\\HasNoChildren \\Junk) "/" Junk\r
                * STATUS Junk (MESSAGES 0 UNSEEN 0)\r
                * LIST (\\HasNoChildren \\Trash) "/" Trash\r
                * STATUS Trash (MESSAGES 0 UNSEEN 0)\r
                T OK LIST completed\r\n
                """)
        #expect(
            client.command("LSUB \"\" %")
                == "* LSUB (\\Noselect) \"/\" Fruit\r\n* LSUB () \"/\" Gone\r\nT OK LSUB completed\r\n")
        #expect(
            client.command("LIST (RECURSIVEMATCH) \"\" *")
                .hasPrefix("T BAD RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it"))
        await server.stop()
    }

    @Test(
        "names that cannot be mailboxes, exist or do not exist are refused with the code that says why",
        arguments: [
            ("CREATE INBOX", "[ALREADYEXISTS]"), ("CREATE Sent", "[ALREADYEXISTS]"), ("DELETE INBOX", "[CANNOT]"),
            ("DELETE Nowhere", "[NONEXISTENT]"),
            ("RENAME Nowhere X", "[NONEXISTENT]"), ("RENAME Sent Trash", "[ALREADYEXISTS]"),
            ("CREATE ..", "[CANNOT]"), ("CREATE ../../etc/passwd", "[CANNOT]"), ("CREATE a/./b/", "[CANNOT]"),
            ("RENAME Sent a/..", "[CANNOT]"), ("RENAME INBOX .", "[CANNOT]"),
            ("CREATE a/" + String(repeating: "x", count: 256), "[CANNOT]"), ("CREATE a//b", "[CANNOT]"),
            ("CREATE \"&Jjo\"", "[CANNOT]"),
            ("SELECT Nowhere", "[NONEXISTENT]"), ("STATUS Nowhere (MESSAGES)", "[NONEXISTENT]"),
            ("CREATE X (USE (\\Sent))", "[USEATTR]"),
            ("CREATE X (USE (\\Important))", "[USEATTR]"), ("CREATE X (USE (\\Foo))", "[USEATTR]"),
            ("CREATE X (USE (\\All \\Foo-Bar+1))", "[USEATTR]"),
        ])
    func refused(_ command: String, _ code: String) async throws {
        let server = try await TestServer()
        let client = try server.login()
        #expect(client.command(command).hasPrefix("T NO \(code) "), "\(command)")
        await server.stop()
    }

    @Test("RENAME takes what is below along; of INBOX it takes the messages (RFC 9051 §6.3.6)")
    func rename() async throws {
        let server = try await TestServer()
        try await server.add("A: b\r\n\r\n")
        let client = try server.select()
        _ = client.command("CREATE a/b/")
        #expect(client.command("RENAME a x/y") == "T OK RENAME completed\r\n")
        #expect(
            client.command("LIST \"\" x*")
                == "* LIST (\\HasChildren) \"/\" x\r\n* LIST (\\HasChildren) \"/\" x/y\r\n* LIST (\\HasNoChildren) \"/\" x/y/b\r\nT OK LIST completed\r\n"
        )
        #expect(client.command("RENAME INBOX old") == "* 1 EXPUNGE\r\nT OK RENAME completed\r\n")
        #expect(client.command("STATUS old (MESSAGES)") == "* STATUS old (MESSAGES 1)\r\nT OK STATUS completed\r\n")
        // A level that is no mailbox takes what is below along too.
        _ = client.command("CREATE foo/bar/one")
        _ = client.command("DELETE foo")
        #expect(client.command("RENAME foo zowie") == "T OK RENAME completed\r\n")
        #expect(client.command("RENAME foo again").hasPrefix("T NO [NONEXISTENT]"))
        #expect(
            client.command("LIST \"\" (foo* zowie*)") == """
                * LIST (\\NonExistent \\HasChildren) "/" zowie\r
                * LIST (\\HasChildren) "/" zowie/bar\r
                * LIST (\\HasNoChildren) "/" zowie/bar/one\r
                T OK LIST completed\r\n
                """)
        await server.stop()
    }

    @Test(
        "CHILDINFO names what is below and not listed itself, for SUBSCRIBED and SPECIAL-USE (RFC 5258 §3.5, RFC 6154)")
    func recursive() async throws {
        let server = try await TestServer()
        let client = try server.login()
        for name in ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"] {
            _ = client.command("UNSUBSCRIBE \(name)")
        }
        for name in ["foo2/bar1", "foo2/bar2", "baz2/bar2"] {
            _ = client.command("CREATE \(name)")
            _ = client.command("SUBSCRIBE \(name)")
        }
        _ = client.command("CREATE sp/all (USE (\\All))")
        // RFC 5258 §5, example 10: bar1 is not listed, so its parent is; baz2 has nothing that is hidden.
        #expect(
            client.command("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" *2") == """
                * LIST (\\HasNoChildren \\Subscribed) "/" baz2/bar2\r
                * LIST (\\HasChildren) "/" foo2 ("CHILDINFO" ("SUBSCRIBED"))\r
                * LIST (\\HasNoChildren \\Subscribed) "/" foo2/bar2\r
                T OK LIST completed\r\n
                """)
        #expect(
            client.command("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" foo*") == """
                * LIST (\\HasNoChildren \\Subscribed) "/" foo2/bar1\r
                * LIST (\\HasNoChildren \\Subscribed) "/" foo2/bar2\r
                T OK LIST completed\r\n
                """)
        #expect(
            client.command("LIST (SPECIAL-USE RECURSIVEMATCH) \"\" (s% T%)") == """
                * LIST (\\HasNoChildren \\Trash) "/" Trash\r
                * LIST (\\HasChildren) "/" sp ("CHILDINFO" ("SPECIAL-USE"))\r
                T OK LIST completed\r\n
                """)
        _ = client.command("SUBSCRIBE Trash")
        #expect(
            client.command("LIST (SPECIAL-USE SUBSCRIBED RECURSIVEMATCH) \"\" %")
                == "* LIST (\\HasNoChildren \\Subscribed \\Trash) \"/\" Trash\r\nT OK LIST completed\r\n")
        await server.stop()
    }

    @Test("INBOX has no case in patterns either, as a name or as the first level of one")
    func inboxPatterns() async throws {
        let server = try await TestServer()
        let client = try server.login()
        _ = client.command("CREATE inbox/sub")
        let inbox = "* LIST (\\HasChildren) \"/\" INBOX\r\n"
        let sub = "* LIST (\\HasNoChildren) \"/\" INBOX/sub\r\n"
        for (pattern, expected) in [
            ("inbox/%", sub), ("INBOX/%", sub), ("inBOX*", inbox + sub), ("in%", inbox), ("%ox/s*", sub),
            ("inbox", inbox), ("inboxe", ""), ("INBOX/SUB", ""),
        ] {
            #expect(client.command("LIST \"\" \(pattern)") == expected + "T OK LIST completed\r\n", "\(pattern)")
        }
        #expect(client.command("LIST inbox/ %") == sub + "T OK LIST completed\r\n")
        _ = client.command("SUBSCRIBE inbox/sub")
        #expect(client.command("LSUB \"\" inbox/*") == "* LSUB () \"/\" INBOX/sub\r\nT OK LSUB completed\r\n")
        await server.stop()
    }

    @Test(
        "IMAP4rev2 is told the name that a mailbox has when it was written in another form: OLDNAME (RFC 9051 §6.3.9.7)"
    )
    func oldName() async throws {
        let server = try await TestServer()
        let client = try server.login()
        _ = client.command("ENABLE IMAP4rev2")
        // u and o with a combining diaeresis, and composed.
        let (u, o) = ("u\u{308}ber", "o\u{308}ber")
        func told(_ name: String, _ old: String, _ attributes: String = "") -> String {
            "* LIST (\(attributes)) \"/\" \"\(name)\" (\"OLDNAME\" (\"\(old)\"))\r\n"
        }
        func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }
        #expect(same(client.command("CREATE \"\(u)/\""), told("\u{FC}ber", u) + "T OK CREATE completed\r\n"))
        #expect(client.command("SELECT \"\(u)\"").contains(told("\u{FC}ber", u)))
        let composed = client.command("SELECT \"\u{FC}ber\"")
        #expect(composed.contains("* LIST () \"/\" \"\u{FC}ber\"\r\n") && !composed.contains("OLDNAME"))
        #expect(client.command("SELECT inbox").contains("* LIST () \"/\" INBOX (\"OLDNAME\" (inbox))\r\n"))
        #expect(client.command("APPEND \"\(u)\" {6+}\r\nA: b\r\n").hasPrefix(told("\u{FC}ber", u)))
        #expect(
            same(
                client.command("RENAME \"\u{FC}ber\" \"\(o)\""),
                told("\u{F6}ber", "\u{FC}ber") + "T OK RENAME completed\r\n"))
        #expect(client.command("RENAME \"\u{F6}ber\" plain") == "T OK RENAME completed\r\n")
        #expect(client.command("CREATE plain/two") == "T OK CREATE completed\r\n")
        _ = client.command("CREATE \"\(o)\"")
        #expect(
            same(
                client.command("DELETE \"\(o)\""), told("\u{F6}ber", o, "\\NonExistent") + "T OK DELETE completed\r\n"))
        // Malformed UTF-8 is a mistake of syntax there (RFC 6855 §3).
        client.send(Array("x CREATE \"".utf8) + [0xFF] + Array("\"\r\n".utf8))
        #expect(client.line().hasPrefix("x BAD not UTF-8"))
        let old = try server.login()
        #expect(!old.command("SELECT inbox").contains("OLDNAME"))
        await server.stop()
    }

    @Test("STATUS tells every item that is asked")
    func status() async throws {
        let server = try await TestServer()
        try await server.add("A: b\r\n\r\n", flags: NamedFlags(system: .seen))
        try await server.add("A: bc\r\n\r\n", flags: NamedFlags(system: .deleted))
        let client = try server.login()
        #expect(
            client.command(
                "STATUS inbox (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT)")
                == "* STATUS INBOX (MESSAGES 2 RECENT 0 UIDNEXT 3 UIDVALIDITY 1 UNSEEN 1 DELETED 1 SIZE 17 HIGHESTMODSEQ 3 APPENDLIMIT 52428800)\r\n"
                + "T OK STATUS completed\r\n")
        await server.stop()
    }

    @Test("UNSELECT leaves without expunging; a SELECT that fails leaves too")
    func unselect() async throws {
        let server = try await TestServer()
        try await server.add("A: b\r\n\r\n", flags: NamedFlags(system: .deleted))
        let client = try server.select()
        #expect(client.command("UNSELECT") == "T OK UNSELECT completed\r\n")
        #expect(client.command("FETCH 1 UID") == "T BAD select a mailbox first\r\n")
        #expect(client.command("SELECT INBOX").contains("* 1 EXISTS\r\n"))
        #expect(
            client.command("SELECT Nowhere")
                == "* OK [CLOSED] The mailbox before is closed\r\nT NO [NONEXISTENT] There is no such mailbox\r\n")
        #expect(client.command("FETCH 1 UID") == "T BAD select a mailbox first\r\n")
        await server.stop()
    }
}
