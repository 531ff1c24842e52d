import IMAPProtocol
import MartletCore
import Testing

@Suite struct IMAPSessionTests {
    enum Stage: CaseIterable {
        case plain, tls, authenticated, selected, readOnly, out
        func session() -> IMAPSession {
            var session = IMAPSession(
                policy: IMAPPolicy(mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"], appendLimit: 1000),
                isTLS: self != .plain)
            if self == .plain || self == .tls { return session }
            session.authenticated()
            if self == .selected || self == .readOnly { session.selected(isReadOnly: self == .readOnly) }
            if self == .out { session.loggedOut() }
            return session
        }
    }

    static let ok = ResponseStatus.ok

    /// What each stage answers: plain, tls, authenticated, selected, readOnly, out. nil is admitted.
    static let table: [(String, [ResponseStatus?])] = [
        ("CAPABILITY", [nil, nil, nil, nil, nil, .bad]), ("NOOP", [nil, nil, nil, nil, nil, .bad]),
        ("LOGOUT", [nil, nil, nil, nil, nil, .bad]),
        ("ID NIL", [nil, nil, nil, nil, nil, .bad]), ("STARTTLS", [nil, .bad, .bad, .bad, .bad, .bad]),
        ("LOGIN a b", [.no, nil, .bad, .bad, .bad, .bad]),
        ("AUTHENTICATE PLAIN", [.no, nil, .bad, .bad, .bad, .bad]),
        ("AUTHENTICATE SCRAM-SHA-256", [nil, nil, .bad, .bad, .bad, .bad]),
        ("AUTHENTICATE SCRAM-SHA-256-PLUS", [.no, nil, .bad, .bad, .bad, .bad]),
        ("AUTHENTICATE FOO", [.no, .no, .bad, .bad, .bad, .bad]),
        ("ENABLE CONDSTORE", [.bad, .bad, nil, nil, nil, .bad]), ("SELECT x", [.bad, .bad, nil, nil, nil, .bad]),
        ("EXAMINE x", [.bad, .bad, nil, nil, nil, .bad]),
        ("CREATE x", [.bad, .bad, nil, nil, nil, .bad]), ("DELETE x", [.bad, .bad, nil, nil, nil, .bad]),
        ("RENAME x y", [.bad, .bad, nil, nil, nil, .bad]),
        ("SUBSCRIBE x", [.bad, .bad, nil, nil, nil, .bad]), ("UNSUBSCRIBE x", [.bad, .bad, nil, nil, nil, .bad]),
        ("LIST \"\" *", [.bad, .bad, nil, nil, nil, .bad]),
        ("LSUB \"\" *", [.bad, .bad, nil, nil, nil, .bad]), ("NAMESPACE", [.bad, .bad, nil, nil, nil, .bad]),
        ("STATUS x (MESSAGES)", [.bad, .bad, nil, nil, nil, .bad]),
        ("APPEND x {1}", [.bad, .bad, nil, nil, nil, .bad]), ("IDLE", [.bad, .bad, nil, nil, nil, .bad]),
        ("CHECK", [.bad, .bad, .bad, nil, nil, .bad]),
        ("CLOSE", [.bad, .bad, .bad, nil, nil, .bad]), ("UNSELECT", [.bad, .bad, .bad, nil, nil, .bad]),
        ("EXPUNGE", [.bad, .bad, .bad, nil, .no, .bad]),
        ("UID EXPUNGE 1", [.bad, .bad, .bad, nil, .no, .bad]), ("SEARCH ALL", [.bad, .bad, .bad, nil, nil, .bad]),
        ("FETCH 1 UID", [.bad, .bad, .bad, nil, nil, .bad]),
        ("STORE 1 FLAGS ()", [.bad, .bad, .bad, nil, .no, .bad]), ("COPY 1 x", [.bad, .bad, .bad, nil, nil, .bad]),
        ("MOVE 1 x", [.bad, .bad, .bad, nil, .no, .bad]),
        ("FETCH 1 EMAILID", [.bad, .bad, .bad, .bad, .bad, .bad]),
        ("SELECT x (QRESYNC (1 2))", [.bad, .bad, .bad, .bad, .bad, .bad]),
        ("UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", [.bad, .bad, .bad, .bad, .bad, .bad]),
    ]

    @Test(arguments: table) func `A command is admitted in its states only`(
        _ wire: String, _ answers: [ResponseStatus?]
    ) throws {
        let command = try CommandParser().parse(bytes("a \(wire)")).command
        for (stage, answer) in zip(Stage.allCases, answers) {
            var session = stage.session()
            switch session.admit(command) {
            case .allowed: #expect(answer == nil, "\(stage)")
            case .refused(let status, _, let text):
                #expect(status == answer, "\(stage)")
                #expect(!text.isEmpty)
            }
        }
    }

    @Test func `Passwords in the clear wait for TLS, except where the policy says otherwise`() throws {
        var session = Stage.plain.session()
        let outcome1 = session.admit(.login(user: "a", password: Secret("b")))
        #expect(outcome1 == .refused(.no, .privacyRequired, "use STARTTLS first"))
        #expect(
            session.capabilities == [
                "IMAP4rev1", "IMAP4rev2", "SASL-IR", "LITERAL+", "ID", "ENABLE", "STARTTLS", "LOGINDISABLED",
                "AUTH=SCRAM-SHA-256",
            ])
        let tls = Stage.tls.session().capabilities
        #expect(tls.suffix(3) == ["AUTH=SCRAM-SHA-256-PLUS", "AUTH=SCRAM-SHA-256", "AUTH=PLAIN"])
        #expect(!tls.contains("STARTTLS") && !tls.contains("LOGINDISABLED"))
        var lab = IMAPSession(policy: IMAPPolicy(offersStartTLS: false, allowsPlaintextWithoutTLS: true), isTLS: false)
        let outcome2 = lab.admit(.login(user: "a", password: Secret("b")))
        #expect(outcome2 == .allowed(startsCondStore: false))
        #expect(lab.capabilities.contains("AUTH=PLAIN") && !lab.capabilities.contains("STARTTLS"))
        let outcome3 = lab.admit(.startTLS)
        #expect(outcome3 == .refused(.bad, nil, "STARTTLS is not offered"))
    }

    @Test func `ENABLE does not change the capabilities, and login does`() {
        var session = Stage.authenticated.session()
        let before = session.capabilities
        #expect(
            before.contains("CONDSTORE") && before.contains("APPENDLIMIT=1000")
                && !before.contains { $0.hasPrefix("AUTH=") } && !before.contains("QRESYNC"))
        let outcome4 = session.enable(["CONDSTORE", "X-GOOD-IDEA", "IMAP4REV2", "QRESYNC"])
        #expect(outcome4 == ["CONDSTORE", "IMAP4rev2"])
        let outcome5 = session.enable(["CONDSTORE", "UTF8=ACCEPT"])
        #expect(outcome5 == ["UTF8=ACCEPT"])
        #expect(session.capabilities == before)
    }

    @Test func `What is enabled changes what is sent`() {
        var session = Stage.selected.session()
        let search = SearchCommand(uid: false, key: .all)
        #expect(
            !session.usesUTF8 && session.announcesRecent && !session.announcesModSeq
                && !session.answersWithESearch(search))
        #expect(session.answersWithESearch(SearchCommand(uid: false, returns: .all, key: .all)))
        _ = session.enable(["IMAP4REV2"])
        #expect(session.usesUTF8 && !session.announcesRecent && session.answersWithESearch(search))
    }

    @Test(arguments: [
        "FETCH 1 MODSEQ", "FETCH 1 FLAGS (CHANGEDSINCE 5)", "STORE 1 (UNCHANGEDSINCE 5) FLAGS ()",
        "SEARCH OR SEEN (NOT MODSEQ 5)",
        "STATUS x (HIGHESTMODSEQ)", "SELECT x (CONDSTORE)", "LIST \"\" * RETURN (STATUS (HIGHESTMODSEQ))",
    ]) func `The first use of CONDSTORE enables it`(_ wire: String) throws {
        let command = try CommandParser().parse(bytes("a \(wire)")).command
        var session = Stage.selected.session()
        let outcome6 = session.admit(command)
        #expect(outcome6 == .allowed(startsCondStore: true))
        #expect(session.announcesModSeq)
        let outcome7 = session.admit(command)
        #expect(outcome7 == .allowed(startsCondStore: false))
        // A refused one does not.
        var outside = Stage.plain.session()
        _ = outside.admit(command)
        #expect(!outside.announcesModSeq)
    }

    @Test func `Other commands do not enable CONDSTORE`() throws {
        for wire in [
            "FETCH 1 FLAGS", "STORE 1 FLAGS ()", "SEARCH SEEN", "STATUS x (MESSAGES)", "SELECT x",
            "LIST \"\" * RETURN (STATUS (SIZE))",
        ] {
            var session = Stage.selected.session()
            let answer = session.admit(try CommandParser().parse(bytes("a \(wire)")).command)
            #expect(answer == .allowed(startsCondStore: false))
            #expect(!session.announcesModSeq)
        }
    }

    @Test func `EXPUNGE waits for a command without sequence numbers`() throws {
        let session = Stage.selected.session()
        for (wire, allowed) in [
            ("FETCH 1 UID", false), ("STORE 1 FLAGS ()", false), ("SEARCH ALL", false), ("UID FETCH 1 UID", true),
            ("UID STORE 1 FLAGS ()", true),
            ("UID SEARCH ALL", true), ("NOOP", true), ("IDLE", true), ("COPY 1 x", true),
        ] {
            #expect(
                session.allowsExpunge(during: try CommandParser().parse(bytes("a \(wire)")).command) == allowed,
                "\(wire)")
        }
        #expect(!session.allowsExpunge(during: nil))
        #expect(!Stage.authenticated.session().allowsExpunge(during: .noop))
    }

    @Test func `SELECT closes the mailbox before, even when it fails`() {
        var session = Stage.authenticated.session()
        let outcome8 = session.beginSelect()
        #expect(!outcome8)
        session.selected(isReadOnly: true)
        #expect(session.isSelected && session.isReadOnly)
        let outcome9 = session.beginSelect()
        #expect(outcome9)
        #expect(session.state == .authenticated)
        session.selected(isReadOnly: false)
        #expect(!session.isReadOnly)
        session.unselected()
        #expect(session.state == .authenticated)
    }

    @Test func `The third failed login closes`() {
        var session = Stage.tls.session()
        let outcome10 = session.authenticationFailed()
        #expect(!outcome10)
        let outcome11 = session.authenticationFailed()
        #expect(!outcome11)
        let outcome12 = session.authenticationFailed()
        #expect(outcome12)
    }
}
