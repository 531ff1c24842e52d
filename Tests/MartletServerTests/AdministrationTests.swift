import Foundation
import MartletServer
import Testing

/// Against the embedded engine in a directory of its own, as a command without a server does it.
@Suite("Administration")
struct AdministrationTests {
    private func withSession(_ body: (AdministrationSession) async throws -> Void) async throws {
        let directory = DataDirectory(
            FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path)
        try directory.create()
        defer { try? FileManager.default.removeItem(atPath: directory.path) }
        let session = try await AdministrationSession.open(
            directory, configuration: try Configuration.load().configuration)
        defer { session.close() }
        try await body(session)
    }

    private func add(_ address: String, isAdministrator: Bool = false) -> AdministrationRequest {
        .accountAdd(
            address: address, displayName: "", quota: nil, usesDefaultQuota: true, isAdministrator: isAdministrator,
            password: PasswordText(.init("a password")))
    }

    /// The kind of failure of a request; nil when it succeeds.
    private func failure(_ session: AdministrationSession, _ request: AdministrationRequest) async throws
        -> AdministrationFailure.Kind?
    {
        if case .failure(let failure) = try await session.perform(request) { return failure.kind }
        return nil
    }

    @Test("Domains, accounts and aliases are added, listed and removed")
    func cycle() async throws {
        try await withSession { session in
            #expect(
                try await failure(session, .domainAdd(domain: "Example.TEST", catchAll: nil, separator: .keep)) == nil)
            #expect(try await failure(session, add("anna@example.test")) == nil)
            #expect(try await failure(session, add("bert@example.test")) == nil)
            #expect(
                try await failure(
                    session,
                    .aliasAdd(address: "team@example.test", targets: ["anna@example.test", "bert@example.test"])) == nil
            )
            guard case .accounts(let accounts) = try await session.perform(.accountList) else {
                Issue.record("accounts"); return
            }
            #expect(accounts.map(\.address) == ["anna@example.test", "bert@example.test"])
            #expect(accounts.map(\.isAdministrator) == [true, false])
            // A group speaks for all of its members, not for one.
            #expect(accounts[0].addresses == ["anna@example.test"])
            guard case .aliases(let aliases) = try await session.perform(.aliasList(domain: "example.test")) else {
                Issue.record("aliases"); return
            }
            #expect(aliases.map(\.address) == ["team@example.test"])
            #expect(try await failure(session, .aliasRemove(address: "team@example.test")) == nil)
            #expect(try await failure(session, .accountRemove(address: "bert@example.test")) == nil)
            #expect(try await failure(session, .accountRemove(address: "anna@example.test")) == nil)
            #expect(try await failure(session, .domainRemove(domain: "example.test")) == nil)
            guard case .status(let status) = try await session.perform(.status) else { Issue.record("status"); return }
            #expect(status.accounts == 0 && status.domains == 0)
        }
    }

    @Test("What cannot be is refused with the right kind of failure")
    func refusals() async throws {
        try await withSession { session in
            _ = try await session.perform(.domainAdd(domain: "example.test", catchAll: nil, separator: .keep))
            _ = try await session.perform(add("anna@example.test"))
            _ = try await session.perform(add("bert@example.test"))
            _ = try await session.perform(.aliasAdd(address: "info@example.test", targets: ["anna@example.test"]))
            let cases: [(AdministrationRequest, AdministrationFailure.Kind)] = [
                (add("anna@example.test"), .refused), (add("ANNA@example.test"), .refused),
                (add("info@example.test"), .refused),
                (add("carl@elsewhere.test"), .refused), (add("carl"), .invalid),
                (.accountShow(address: "carl@example.test"), .notFound),
                (.accountRemove(address: "carl@example.test"), .notFound),
                (.accountRemove(address: "anna@example.test"), .refused),
                (
                    .accountSet(
                        address: "anna@example.test", displayName: nil, quota: nil, isAdministrator: false,
                        isSuspended: nil), .refused
                ),
                (.accountPassword(address: "anna@example.test", password: PasswordText(.init(""))), .invalid),
                (.appPasswordAdd(address: "anna@example.test", label: ""), .invalid),
                (.appPasswordRevoke(address: "anna@example.test", number: 0), .notFound),
                (.appPasswordRevoke(address: "anna@example.test", number: 9), .notFound),
                (.domainAdd(domain: "example.test", catchAll: nil, separator: .keep), .refused),
                (.domainAdd(domain: "no domain", catchAll: nil, separator: .keep), .invalid),
                (.domainAdd(domain: "127.0.0.1", catchAll: nil, separator: .keep), .invalid),
                (.domainRemove(domain: "example.test"), .refused),
                (.domainRemove(domain: "other.test"), .notFound),
                (
                    .domainSet(domain: "example.test", catchAll: .address("nobody@example.test"), separator: .keep),
                    .refused
                ),
                (.domainSet(domain: "example.test", catchAll: .keep, separator: .character("ab")), .invalid),
                (.aliasAdd(address: "anna@example.test", targets: ["bert@example.test"]), .refused),
                (.aliasAdd(address: "x@example.test", targets: []), .invalid),
                (.aliasAdd(address: "x@example.test", targets: ["nobody@example.test"]), .refused),
                (.aliasRemove(address: "anna@example.test"), .notFound),
                (.messageList(address: "anna@example.test", mailbox: "Nowhere", before: nil, limit: 5), .notFound),
                (.messageRead(address: "anna@example.test", mailbox: "INBOX", uid: 1, offset: -5), .notFound),
                (.messageUndelete(address: "anna@example.test", mailbox: nil, uids: nil), .notFound),
                (.explain(subject: "zzz", limit: 1), .invalid),
            ]
            for (request, kind) in cases { #expect(try await failure(session, request) == kind, "\(request)") }
        }
    }

    @Test("App passwords are made, listed and revoked; the account's own password is none of them")
    func appPasswords() async throws {
        try await withSession { session in
            _ = try await session.perform(.domainAdd(domain: "example.test", catchAll: nil, separator: .keep))
            _ = try await session.perform(add("anna@example.test"))
            guard
                case .appPassword(let first, let password) = try await session.perform(
                    .appPasswordAdd(address: "anna@example.test", label: "phone")),
                case .appPassword(let second, _) = try await session.perform(
                    .appPasswordAdd(address: "anna@example.test", label: "desk"))
            else { Issue.record("app passwords"); return }
            #expect(first.number == 1 && second.number == 2)
            #expect(password.secret.exposed.count == 24)
            _ = try await session.perform(.appPasswordRevoke(address: "anna@example.test", number: 1))
            guard
                case .appPasswords(let left) = try await session.perform(.appPasswordList(address: "anna@example.test"))
            else { Issue.record("list"); return }
            #expect(left.map(\.label) == ["desk"])
            // Numbers are never used again, also when the last one was revoked.
            _ = try await session.perform(.appPasswordRevoke(address: "anna@example.test", number: 2))
            guard
                case .appPassword(let third, _) = try await session.perform(
                    .appPasswordAdd(address: "anna@example.test", label: "tablet"))
            else { Issue.record("third"); return }
            #expect(third.number > 2)
        }
    }

    @Test("An alias or a catch-all that would reach nobody is refused, with the directory as it would be")
    func unreachable() async throws {
        try await withSession { session in
            _ = try await session.perform(.domainAdd(domain: "example.test", catchAll: nil, separator: .keep))
            _ = try await session.perform(add("anna@example.test"))
            func alias(_ name: String, _ targets: String...) async throws -> AdministrationFailure.Kind? {
                try await failure(
                    session, .aliasAdd(address: "\(name)@example.test", targets: targets.map { "\($0)@example.test" }))
            }
            #expect(try await alias("a1", "anna") == nil)
            #expect(try await alias("a1", "a1") == .refused, "to itself")
            #expect(try await alias("a2", "a1") == nil)
            #expect(try await alias("a1", "a2") == .refused, "a circle")
            guard
                case .failure(let circle) = try await session.perform(
                    .aliasAdd(address: "a1@example.test", targets: ["a2@example.test"]))
            else { Issue.record("circle"); return }
            #expect(circle.description.contains("a circle, a2@example.test → a1@example.test → a2@example.test"))
            #expect(!circle.description.contains("account add"))
            #expect(try await alias("a1", "a2", "anna") == nil, "a circle with a way out")
            #expect(try await alias("a1", "anna") == nil)

            #expect(try await alias("ch0", "anna") == nil)
            for number in 1...9 { #expect(try await alias("ch\(number)", "ch\(number - 1)") == nil) }
            #expect(try await alias("ch10", "ch9") == .refused, "an eleventh alias behind each other")
            #expect(try await alias("ch0", "a1") == .refused, "it would make a chain that exists too long")
            #expect(try await alias("ch0", "anna") == nil)

            func catchAll(_ name: String) async throws -> AdministrationFailure.Kind? {
                try await failure(
                    session,
                    .domainSet(domain: "example.test", catchAll: .address("\(name)@example.test"), separator: .keep))
            }
            #expect(try await catchAll("anna") == nil)
            #expect(try await catchAll("nosuch") == .refused, "the present catch-all does not vouch for the next")
            #expect(try await catchAll("a2") == nil)
        }
    }

    @Test("Who removes an account or changes a separator is told of the aliases and catch-alls that it leaves behind")
    func consequences() async throws {
        try await withSession { session in
            _ = try await session.perform(.domainAdd(domain: "example.test", catchAll: nil, separator: .keep))
            for name in ["anna", "bert"] { _ = try await session.perform(add("\(name)@example.test")) }
            for (alias, target) in [("info", "bert"), ("work", "anna+work")] {
                _ = try await session.perform(
                    .aliasAdd(address: "\(alias)@example.test", targets: ["\(target)@example.test"]))
            }
            guard
                case .domains(let changed) = try await session.perform(
                    .domainSet(
                        domain: "example.test", catchAll: .address("bert@example.test"), separator: .keep)),
                case .done(let removed) = try await session.perform(.accountRemove(address: "bert@example.test")),
                case .domains(let separated) = try await session.perform(
                    .domainSet(domain: "example.test", catchAll: .none, separator: .character("-")))
            else { Issue.record("changes"); return }
            #expect(changed.first?.note == nil)
            #expect(
                removed.hasSuffix(": the aliases info@example.test and the catch-all of example.test"), "\(removed)")
            #expect(separated.first?.note?.hasSuffix(": the aliases work@example.test") == true, "\(separated)")
        }
    }

    @Test("An alias in one form of Unicode is the alias in the other, and stays removed")
    func normalization() async throws {
        let directory = DataDirectory(
            FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path)
        try directory.create()
        defer { try? FileManager.default.removeItem(atPath: directory.path) }
        let configuration = try Configuration.load().configuration
        let first = try await AdministrationSession.open(directory, configuration: configuration)
        _ = try await first.perform(.domainAdd(domain: "example.test", catchAll: nil, separator: .keep))
        _ = try await first.perform(add("anna@example.test"))
        _ = try await first.perform(add("bert@example.test"))
        for (form, target) in [("\u{F6}", "anna"), ("o\u{308}", "bert")] {
            let request = AdministrationRequest.aliasAdd(
                address: "\(form)@example.test", targets: ["\(target)@example.test"])
            #expect(try await failure(first, request) == nil)
        }
        #expect(try await failure(first, .aliasRemove(address: "\u{F6}@example.test")) == nil)
        first.close()
        let second = try await AdministrationSession.open(directory, configuration: configuration)
        defer { second.close() }
        guard case .aliases(let aliases) = try await second.perform(.aliasList(domain: nil)) else {
            Issue.record("aliases"); return
        }
        #expect(aliases.isEmpty, "\(aliases)")
    }

    @Test("A store that was only used as it should be is sound")
    func verification() async throws {
        try await withSession { session in
            _ = try await session.perform(.domainAdd(domain: "example.test", catchAll: nil, separator: .keep))
            _ = try await session.perform(add("anna@example.test"))
            guard case .verification(let report) = try await session.perform(.verify) else {
                Issue.record("verification"); return
            }
            #expect(report.isSound && report.faultCount == 0 && report.faults.isEmpty && report.messages == 0)
        }
    }

    @Test("Two cannot open one directory: the second is told who has it")
    func locked() async throws {
        let directory = DataDirectory(
            FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path)
        try directory.create()
        defer { try? FileManager.default.removeItem(atPath: directory.path) }
        let configuration = try Configuration.load().configuration
        let first = try await AdministrationSession.open(directory, configuration: configuration)
        await #expect(throws: AdministrationUnreachable.self) {
            try await AdministrationSession.open(directory, configuration: configuration)
        }
        first.close()
    }

    @Test("A directory without a server's data is said to be one, and stays empty")
    func nothingThere() async throws {
        let directory = DataDirectory("/tmp/martlet-\(UUID().uuidString)")
        let configuration = try Configuration.load().configuration
        await #expect(throws: AdministrationUnreachable.self) {
            try await AdministrationSession.open(directory, configuration: configuration)
        }
        #expect(!FileManager.default.fileExists(atPath: directory.path))
    }
}
