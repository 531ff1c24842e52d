import Authentication
import IMAPServer
import MailStore
import MartletCore
import Testing

@Suite(.serialized) struct ConnectionTests {
    @Test(
        "commands in the wrong state are refused",
        arguments: [
            ("SELECT INBOX", "T BAD log in first\r\n"), ("LIST \"\" *", "T BAD log in first\r\n"),
            ("FETCH 1 FLAGS", "T BAD log in first\r\n"),
            ("IDLE", "T BAD log in first\r\n"), ("STARTTLS", "T BAD STARTTLS is not offered\r\n"),
            ("NONSENSE", "T BAD unknown command (at octet 3)\r\n"),
        ])
    func state(_ command: String, _ expected: String) async throws {
        let server = try await TestServer()
        let client = try server.connect()
        #expect(client.command(command) == expected)
        await server.stop()
    }

    @Test("a password is not taken in the clear")
    func plaintext() async throws {
        let server = try await TestServer(allowsPlaintext: false)
        let client = try server.connect()
        #expect(client.command("CAPABILITY").contains(" LOGINDISABLED "))
        #expect(client.command("LOGIN anna@example.test secret").hasPrefix("T NO [PRIVACYREQUIRED]"))
        #expect(client.command("AUTHENTICATE PLAIN AGFubmEAc2VjcmV0").hasPrefix("T NO [PRIVACYREQUIRED]"))
        await server.stop()
    }

    @Test("AUTHENTICATE takes an initial response, a continuation, a cancellation, and refuses what is not base64")
    func authenticate() async throws {
        let server = try await TestServer()
        // NUL anna@example.test NUL secret
        let response = "AGFubmFAZXhhbXBsZS50ZXN0AHNlY3JldA=="
        let first = try server.connect()
        #expect(first.command("AUTHENTICATE PLAIN \(response)").contains("Logged in"))
        let second = try server.connect()
        second.send("a AUTHENTICATE PLAIN\r\n")
        #expect(second.line() == "+ \r\n")
        second.send("\(response)\r\n")
        #expect(second.line().contains("a OK [CAPABILITY"))
        let third = try server.connect()
        third.send("a AUTHENTICATE PLAIN\r\n")
        _ = third.line()
        third.send("*\r\n")
        #expect(third.line() == "a BAD Authentication cancelled\r\n")
        third.send("b AUTHENTICATE PLAIN\r\n")
        _ = third.line()
        third.send("???\r\n")
        #expect(third.line() == "b BAD The response is not base64\r\n")
        #expect(
            third.command("LOGIN anna@example.test wrong").hasPrefix(
                "T NO [AUTHENTICATIONFAILED] Authentication failed"))
        #expect(third.command("AUTHENTICATE X-NONE") == "T NO [CANNOT] mechanism not supported\r\n")
        await server.stop()
    }

    @Test("many failed logins and many commands that cannot be read end the connection")
    func patience() async throws {
        var configuration = IMAPServerConfiguration()
        configuration.maximumFailedLogins = 2
        configuration.maximumBadCommands = 3
        let server = try await TestServer(configuration: configuration)
        let one = try server.connect()
        #expect(one.command("LOGIN anna@example.test wrong").hasPrefix("T NO"))
        one.send("b LOGIN anna@example.test wrong\r\n")
        #expect(one.readToEnd().hasSuffix("* BYE Too many failed logins\r\n"))
        let two = try server.connect()
        two.send("a X\r\nb Y\r\nc Z\r\nd NOOP\r\n")
        #expect(
            two.readToEnd().hasSuffix(
                "c BAD unknown command (at octet 2)\r\n* BYE Too many commands that cannot be understood\r\n"))
        await server.stop()
    }

    @Test("pipelined commands are answered in order, whatever pieces they come in", arguments: [1, 3, 7, 1_000])
    func dripFed(_ size: Int) async throws {
        let server = try await TestServer()
        try await server.add("Subject: x\r\n\r\nbody\r\n")
        let client = try server.connect()
        let text = """
            a LOGIN anna@example.test {6+}\r
            secret\r
            b SELECT INBOX\r
            c FETCH 1 (UID BODY.PEEK[TEXT])\r
            d APPEND INBOX (\\Seen) {4+}\r
            A: b\r
            e STORE 1 +FLAGS (\\Flagged)\r
            f IDLE\r
            DONE\r
            g SEARCH FLAGGED\r
            h LOGOUT\r\n
            """
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            client.send(Array(bytes.prefix(size)))
            bytes = bytes.dropFirst(size)
        }
        let answer = client.readToEnd()
        let expected = """
            * 1 FETCH (UID 1 BODY[TEXT] {6}\r\nbody\r\n)\r
            c OK FETCH completed\r
            * 2 EXISTS\r
            d OK [APPENDUID 1 2] APPEND completed\r
            * 1 FETCH (UID 1 FLAGS (\\Flagged))\r
            e OK STORE completed\r
            + idling\r
            f OK IDLE completed\r
            * SEARCH 1\r
            g OK SEARCH completed\r
            * BYE Logging out\r
            h OK LOGOUT completed\r\n
            """
        #expect(answer.hasSuffix(expected), "pieces of \(size)")
        await server.stop()
    }

    @Test("IDLE tells of each new message, of flags and of an expunge as they are committed, without being asked")
    func idle() async throws {
        let server = try await TestServer()
        try await server.add("Subject: 1\r\n\r\n")
        let client = try server.select()
        client.send("i IDLE\r\n")
        #expect(client.line() == "+ idling\r\n")
        for number in 2...20 {
            try await server.add("Subject: \(number)\r\n\r\n")
            #expect(client.line() == "* \(number) EXISTS\r\n")
        }
        let key = try await server.mailbox()
        _ = try await server.store.changeFlags(
            in: key, uids: [3], .add(NamedFlags(system: .deleted)), unchangedSince: nil)
        #expect(client.line() == "* 3 FETCH (UID 3 FLAGS (\\Deleted))\r\n")
        _ = try await server.store.expunge(in: key, uids: nil)
        #expect(client.line() == "* 3 EXPUNGE\r\n")
        client.send("done\r\n")
        #expect(client.line() == "i OK IDLE completed\r\n")
        client.send("j IDLE\r\nNOOP\r\n")
        #expect(client.line() == "+ idling\r\n")
        #expect(client.line() == "j BAD Expected DONE\r\n")
        await server.stop()
    }

    @Test("the server's end is a BYE to everybody, idle or not")
    func ends() async throws {
        let server = try await TestServer()
        let client = try server.select()
        client.send("i IDLE\r\n")
        _ = client.line()
        await server.stop()
        #expect(client.readToEnd() == "* BYE [UNAVAILABLE] The server is shutting down\r\n")
    }

    @Test("a connection without a login is ended by a BYE")
    func timeouts() async throws {
        var configuration = IMAPServerConfiguration()
        configuration.loginTimeout = .milliseconds(50)
        let server = try await TestServer(configuration: configuration)
        let client = try server.connect()
        #expect(client.readToEnd() == "* BYE Login took too long\r\n")
        await server.stop()
    }

    @Test("silence behind the login is ended by a BYE, in IDLE too", arguments: [false, true])
    func autologout(isIdling: Bool) async throws {
        var configuration = IMAPServerConfiguration()
        configuration.idleTimeout = .milliseconds(300)
        let server = try await TestServer(configuration: configuration)
        let client = try server.select()
        if isIdling {
            client.send("i IDLE\r\n")
            #expect(client.line() == "+ idling\r\n")
        }
        #expect(client.readToEnd() == "* BYE Autologout; idle for too long\r\n")
        await server.stop()
    }

    @Test(
        "bad input gets a clear answer and nothing behind it is taken for a command",
        arguments: [
            ("a NOOP\nb LOGOUT\r\n", "* BYE A line ends with CR LF\r\n"),
            ("a LOGIN x {99999999}\r\n", "a NO [TOOBIG] The literals of a command are 65536 octets at most\r\n"),
            ("a CREATE \"x\0y\"\r\n", "a BAD NUL, CR or LF inside a string (at octet 11)\r\n"),
            ("\r\n", "* BAD a command begins with a tag and a space (at octet 0)\r\n"),
        ])
    func badInput(_ input: String, _ expected: String) async throws {
        let server = try await TestServer()
        let client = try server.connect()
        client.send(input)
        #expect(client.line() == expected)
        await server.stop()
    }

    @Test("a line without end is cut off before it fills the memory")
    func longLine() async throws {
        let server = try await TestServer()
        let client = try server.connect()
        client.send([UInt8](repeating: UInt8(ascii: "x"), count: 70_000))
        #expect(client.readToEnd() == "* BYE [TOOBIG] The line is too long\r\n")
        await server.stop()
    }

    @Test("ENABLE turns on rev2: names in UTF-8, ESEARCH, no RECENT, LIST with SELECT")
    func rev2() async throws {
        let server = try await TestServer()
        let client = try server.login()
        #expect(client.command("CREATE \"R&AOk-sum&AOk-\"") == "T OK CREATE completed\r\n")
        #expect(
            client.command("LIST \"\" R*")
                == "* LIST (\\HasNoChildren) \"/\" \"R&AOk-sum&AOk-\"\r\nT OK LIST completed\r\n")
        #expect(
            client.command("ENABLE IMAP4rev2 CONDSTORE X-NONE")
                == "* ENABLED IMAP4rev2 CONDSTORE\r\nT OK ENABLE completed\r\n")
        #expect(
            client.command("LIST \"\" R*") == "* LIST (\\HasNoChildren) \"/\" \"Résumé\"\r\nT OK LIST completed\r\n")
        let selected = client.command("SELECT \"Résumé\"")
        #expect(selected.contains("* LIST () \"/\" \"Résumé\"\r\n"))
        #expect(!selected.contains("RECENT"))
        #expect(client.command("SEARCH ALL") == "* ESEARCH (TAG \"a7\")\r\nT OK SEARCH completed\r\n")
        #expect(client.command("SELECT INBOX").hasPrefix("* OK [CLOSED] The mailbox before is closed\r\n"))
        await server.stop()
    }

    @Test("ID, NAMESPACE and CAPABILITY tell what the server is")
    func identity() async throws {
        // ID names the program, not the host that the greeting names (RFC 2971 §3.3).
        var configuration = IMAPServerConfiguration()
        configuration.serverName = "mail.example.test"
        configuration.version = "1.2"
        let server = try await TestServer(configuration: configuration)
        let client = try server.login()
        #expect(
            client.command("ID (\"name\" \"x\")")
                == "* ID (\"name\" \"Martlet\" \"version\" \"1.2\")\r\nT OK ID completed\r\n")
        #expect(client.command("NAMESPACE") == "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\nT OK NAMESPACE completed\r\n")
        let capabilities = client.command("CAPABILITY")
        for name in [
            "IDLE", "UNSELECT", "UIDPLUS", "MOVE", "LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "STATUS=SIZE",
            "ESEARCH", "SEARCHRES",
            "BINARY", "CONDSTORE", "APPENDLIMIT=52428800", "MULTIAPPEND", "NAMESPACE", "LITERAL+", "SASL-IR", "ID",
            "ENABLE", "CHILDREN",
        ] {
            #expect(capabilities.contains(" \(name)"), "\(name)")
        }
        await server.stop()
    }
}
