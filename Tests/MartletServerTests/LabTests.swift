import Foundation
import MartletCore
import MartletServer
import Testing

@Suite("Lab options and readiness")
struct LabTests {
    private func options(
        portBase: Int = 20_000, domain: String = "example.test", users: Int = 2, password: String = "secret",
        isOpen: Bool = false,
        overrides: [String] = [], zones: [String] = [], resolver: String? = nil, routes: [String] = [],
        clock: String? = nil
    ) throws(LabFailure) -> LabOptions {
        try Lab(
            LabOptions(
                directory: "/tmp/martlet-lab-never-made", portBase: portBase, domain: domain, users: users,
                password: password, isOpen: isOpen,
                overrides: overrides, zones: zones, resolver: resolver, routes: routes, clockFile: clock),
            environment: [:]
        ).options
    }

    @Test("The lab's own configuration gives each service 127.0.0.1 and ::1 at the port base plus its number")
    func preset() throws {
        let options = try options(portBase: 30_000)
        let (configuration, settings) = try Configuration.load(preset: options.preset(hasIPv6: true))
        #expect(
            configuration.listeners.smtp == [
                .internet(host: "127.0.0.1", port: 30_025), .internet(host: "::1", port: 30_025),
            ])
        #expect(configuration.listeners.submission.map(\.description) == ["127.0.0.1:30587", "[::1]:30587"])
        #expect(configuration.listeners.submissions.map(\.description) == ["127.0.0.1:30465", "[::1]:30465"])
        #expect(configuration.listeners.imap.map(\.description) == ["127.0.0.1:30143", "[::1]:30143"])
        #expect(configuration.listeners.imaps.map(\.description) == ["127.0.0.1:30993", "[::1]:30993"])
        #expect(configuration.listeners.pop3.map(\.description) == ["127.0.0.1:30110", "[::1]:30110"])
        #expect(configuration.listeners.pop3s.map(\.description) == ["127.0.0.1:30995", "[::1]:30995"])
        #expect(configuration.listeners.lmtp.isEmpty)
        #expect(configuration.server.hostname?.ascii == "mail.example.test")
        #expect(configuration.authentication.allowsPlaintextFromLoopback)
        #expect(configuration.authentication.slowsDownFailures)
        #expect(settings["listeners.smtp"].origin == .lab)
    }

    @Test("--open lifts limits on connections and failed logins, and nothing else")
    func open() throws {
        let open = try Configuration.load(preset: try options(isOpen: true).preset(hasIPv6: false)).configuration
        let usual = try Configuration.load(preset: try options().preset(hasIPv6: false)).configuration
        #expect(open.smtp.maximumConnectionsPerAddress == 1_000_000)
        #expect(open.imap.maximumConnections == 1_000_000)
        #expect(!open.authentication.slowsDownFailures)
        #expect(open.smtp.maximumMessageSize == usual.smtp.maximumMessageSize)
        #expect(open.smtp.maximumErrors == usual.smtp.maximumErrors)
    }

    @Test(
        "Addresses of users have four digits or more",
        arguments: [(1, "user0001"), (42, "user0042"), (9_999, "user9999"), (12_345, "user12345")])
    func userAddress(_ number: Int, _ localPart: String) throws {
        #expect(try options().userAddress(number)?.description == "\(localPart)@example.test")
    }

    @Test("All mistakes in the options are told at once, a line each")
    func mistakes() throws {
        do {
            _ = try options(
                portBase: 70_000, domain: "-", users: -1, password: "", overrides: ["smtp.max-eror=5", "tls.key=/k"],
                zones: ["/nowhere.zone"], resolver: "127.0.0.1",
                routes: ["x", "a.test=b:0"],
                clock: "/nowhere")
            Issue.record("the options are wrong")
        } catch {
            #expect(error.problems.count == 11, "\(error)")
            for part in [
                "--port-base", "--domain", "--users", "--password", "--zone", "--resolver", "--route “x”",
                "--route “a.test=b:0”", "--clock", "--set: unknown key", "--set: tls.key is set",
            ] {
                #expect(error.problems.contains { $0.hasPrefix(part) }, "\(part)")
            }
            #expect(error.problems.allSatisfy { !$0.contains("\n") })
        }
    }

    @Test("A zone must be text, a clock a number of seconds")
    func files() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let good = directory.appendingPathComponent("good.zone").path
        let bad = directory.appendingPathComponent("bad.zone").path
        let clock = directory.appendingPathComponent("clock").path
        try Data("$ORIGIN a.test.\n@ IN MX 10 mail\n".utf8).write(to: URL(fileURLWithPath: good))
        try Data([0, 1, 2, 0xFF]).write(to: URL(fileURLWithPath: bad))
        try Data("3600\n".utf8).write(to: URL(fileURLWithPath: clock))
        #expect(throws: Never.self) {
            _ = try options(zones: [good], resolver: "[::1]:5353", routes: ["b.test=127.0.0.1:3025"], clock: clock)
        }
        #expect(throws: LabFailure.self) { _ = try options(zones: [bad]) }
        let garbage = directory.appendingPathComponent("garbage.zone").path
        try Data("; a comment\nhello world\n@ MX mail\n".utf8).write(to: URL(fileURLWithPath: garbage))
        do {
            _ = try options(zones: [garbage])
            Issue.record("garbage is no zone")
        } catch {
            #expect(error.problems.count == 2, "\(error)")
            #expect(error.problems[0].hasPrefix("--zone \(garbage):2: “world” is no type"), "\(error)")
            #expect(error.problems[1].hasPrefix("--zone \(garbage):3: MX: “mail” is no preference"), "\(error)")
        }
        #expect(throws: LabFailure.self) { _ = try options(clock: good) }
        let ahead = OffsetClock(path: clock).now() - SystemClock().now()
        #expect(ahead > .seconds(3_590) && ahead <= .seconds(3_600))
    }

    @Test("The line that says ready is the contract's, in its order, on one line")
    func readiness() throws {
        let readiness = LabReadiness(
            pid: 123, domain: "example.test", users: 2, password: "se\"c\\r\net", authority: "/dir/ca.pem",
            ports: [("smtp", 20_025), ("submission", 20_587)])
        #expect(
            readiness.json
                == #"{"ready":true,"pid":123,"domain":"example.test","users":2,"password":"se\"c\\r\u000aet","ca":"/dir/ca.pem","#
                + #""ports":{"smtp":20025,"submission":20587}}"#)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(readiness.json.utf8)) as? [String: Any])
        #expect(object["password"] as? String == "se\"c\\r\net")
    }
}
