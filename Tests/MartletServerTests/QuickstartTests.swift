import DNSProtocol
import Foundation
import Glibc
import MartletCore
import MartletServer
import Testing

@Suite("Quickstart")
struct QuickstartTests {
    private func words() -> QuickstartOptions.Words {
        QuickstartOptions.Words(domain: "example.test", address: "anna@example.test")
    }

    // MARK: Options

    @Test("All mistakes are told at once, and each names what was written")
    func mistakes() throws {
        var words = QuickstartOptions.Words(domain: "exa mple", address: "anna")
        words.addresses = ["192.0.2.300"]
        words.settings = ["log.level"]
        words.key = "/k"
        let failure = try #require(throws: QuickstartFailure.self) { try QuickstartOptions(words, existing: nil) }
        #expect(failure.problems.count == 5)
        for word in ["exa mple", "anna", "192.0.2.300", "log.level", "--certificate"] {
            #expect(failure.description.contains(word))
        }
    }

    @Test("The first account is one of the domain")
    func otherDomain() {
        #expect(throws: QuickstartFailure.self) {
            try QuickstartOptions(.init(domain: "example.test", address: "anna@other.test"), existing: nil)
        }
    }

    // MARK: The configuration

    @Test("The commented file is a right configuration: what is set is in force, all else is the default")
    func commentedConfiguration() throws {
        let values = [
            ("server.hostname", "mail.example.test"), ("server.data-directory", "/srv/a b: #c"),
            ("listeners.smtp", "[::]:25"), ("outbound.routes", "*=relay.test:25"),
            ("addresses.subaddress-separator", "-"),
        ]
        let text = CommentedConfiguration.yaml(values.map { (key: $0.0, value: $0.1) })
        let settings = try Configuration.load(file: (text, "martlet.yaml")).settings
        let empty = try Configuration.load().settings
        for setting in settings.all {
            if let value = values.first(where: { $0.0 == setting.key.name })?.1 {
                #expect(setting.text == value)
            } else {
                #expect(setting.value == empty[setting.key.name].value)
                // As a comment it is there all the same.
                let name = setting.key.name.split(separator: ".", maxSplits: 1)[1]
                #expect(text.contains("  # \(name): "))
            }
        }
        #expect(text.split(separator: "\n").allSatisfy { $0.count < 130 })
    }

    @Test("Every default that stands there as a comment is right when the comment sign goes")
    func uncommented() throws {
        let lines = CommentedConfiguration.yaml([]).split(separator: "\n", omittingEmptySubsequences: false).map {
            line in
            let isKey = ConfigurationKey.all.contains { key in
                line.hasPrefix("  # \(key.name.split(separator: ".", maxSplits: 1)[1]): ")
            }
            return isKey ? "  " + line.dropFirst(4) : String(line)
        }
        let settings = try Configuration.load(file: (lines.joined(separator: "\n"), "martlet.yaml")).settings
        let empty = try Configuration.load().settings
        for setting in settings.all { #expect(setting.value == empty[setting.key.name].value) }
        #expect(settings.all.count { if case .file = $0.origin { true } else { false } } == ConfigurationKey.all.count)
    }

    @Test("Differences are told by key, whatever the comments are")
    func differences() throws {
        let ours = try Configuration.load(file: (CommentedConfiguration.yaml([]), "a")).settings
        let same = try Configuration.load(file: ("# mine\nlog.level: info\n", "a")).settings
        let other = try Configuration.load(file: ("log:\n  level: debug\n", "a")).settings
        #expect(CommentedConfiguration.differences(file: same, wanted: ours) == [])
        #expect(
            CommentedConfiguration.differences(file: other, wanted: ours)
                == ["log.level: debug in the file, info asked for"])
    }

    // MARK: The unit

    @Test("The unit names its paths as systemd reads them, and what may be written")
    func unit() {
        let plain = ServiceUnit(
            program: "/usr/bin/martlet", configurationFile: "/etc/martlet/martlet.yaml",
            dataDirectory: "/var/lib/martlet", user: "martlet"
        ).text
        #expect(plain.contains("ExecStart=/usr/bin/martlet serve --config /etc/martlet/martlet.yaml\n"))
        #expect(plain.contains("StateDirectory=martlet\n") && !plain.contains("ReadWritePaths"))
        #expect(plain.contains("ProtectHome=yes\n") && plain.contains("User=martlet\n"))
        let odd = ServiceUnit(
            program: "/opt/a b/mart%let", configurationFile: "/etc/$x", dataDirectory: "/home/m/\"data\"", user: "m"
        ).text
        #expect(odd.contains("ExecStart=\"/opt/a b/mart%%let\" serve --config /etc/$$x\n"))
        #expect(odd.contains("ReadWritePaths=\"/home/m/\\\"data\\\"\"\n") && odd.contains("ProtectHome=read-only\n"))
    }

    // MARK: Checks

    @Test("A clock that cannot be right is fatal, one that nothing keeps right is not")
    func clock() {
        let now = Instant(year: 2026, month: 11, day: 25)
        #expect(HostCheck.clock(Instant(seconds: 0), isSynchronised: true).state == .fatal)
        #expect(HostCheck.clock(now, isSynchronised: false).state == .warning)
        #expect(HostCheck.clock(now, isSynchronised: true).state == .fine)
        #expect(HostCheck.clock(now, isSynchronised: nil).state == .fine)
    }

    @Test("Ports are free, held by somebody who is named once, or cannot be tried")
    func ports() throws {
        let listeners = try Configuration.load(overrides: ["listeners.pop3s=192.0.2.1:995"]).configuration.listeners
        let checks = HostCheck.ports(listeners) { host, port in
            switch port {
            case 25: EADDRINUSE
            case 465: EACCES
            case 995: EADDRNOTAVAIL
            default: nil
            }
        } holder: {
            $0 == 25 ? "exim4 (pid 7)" : nil
        }
        #expect(checks.map(\.state) == [.fine, .warning, .warning, .unknown])
        #expect(checks[0].told == "110, 143, 587, 993 are free")
        #expect(checks[1].told == "smtp 25 is held by exim4 (pid 7)")
        #expect(checks[2].told.contains("192.0.2.1:995") && checks[3].told.hasPrefix("465 "))
        #expect(checks.allSatisfy { $0.state == .fine || $0.remedy != nil })
    }

    private static let zone = """
        $ORIGIN example.test.
        @ 300 IN SOA ns hostmaster 1 2 3 4 5
        @ 300 IN MX 10 mail
        @ 300 IN TXT "v=spf1 mx ~all"
        mail 300 IN A 192.0.2.1
        mail 300 IN AAAA 2001:db8::1
        1.2.0.192.in-addr.arpa. 300 IN PTR mail.example.test.
        1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 300 IN PTR other.test.
        """

    private func names(_ host: String, _ addresses: [String]) async throws -> [HostCheck] {
        let resolver = ZoneResolver(zones: [try ZoneFile.parse(Array(Self.zone.utf8))])
        return await HostCheck.names(
            resolver, hostname: try #require(Domain(host)), addresses: addresses.compactMap { IPAddress($0) },
            zonesOnly: true)
    }

    @Test("The host's name is to lead to its addresses, and each address back to the name")
    func names() async throws {
        let both = try await names("mail.example.test", ["192.0.2.1", "2001:db8::1"])
        #expect(both.map(\.name) == ["resolver", "address", "reverse", "reverse"])
        #expect(both.map(\.state) == [.fine, .fine, .fine, .warning])
        #expect(both[3].told.contains("is other.test.") && both[3].remedy?.contains("mail.example.test.") == true)
        let elsewhere = try await names("mail.example.test", ["192.0.2.9"])
        #expect(elsewhere.map(\.state) == [.fine, .warning, .warning])
        let unpublished = try await names("new.example.test", ["192.0.2.9"])
        #expect(unpublished[1].told == "new.example.test. has no address in the DNS")
        // Its own addresses are not known: those of the name are asked for theirs.
        let unknown = try await names("mail.example.test", [])
        #expect(unknown.map(\.state) == [.fine, .unknown, .fine, .warning])
    }

    @Test("A resolver that does not answer is told of, and nothing is concluded from its silence")
    func silence() async throws {
        struct Silent: Resolving {
            func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSAnswer {
                DNSAnswer(question: DNSQuestion(name, type), outcome: .failure(.timeout))
            }
        }
        let checks = await HostCheck.names(
            Silent(), hostname: try #require(Domain("mail.test")), addresses: [], zonesOnly: false)
        #expect(checks.map(\.state) == [.warning, .unknown])
    }

    @Test("The records to publish are those that a domain needs, and those that are there are found")
    func publication() async throws {
        let domain = try #require(Domain("example.test"))
        var publication = DNSPublication(
            domain: domain, hostname: try #require(Domain("mail.example.test")),
            addresses: ["192.0.2.1", "2001:db8::1"].compactMap { IPAddress($0) })
        #expect(publication.entries.map(\.type) == ["A", "AAAA", "MX", "TXT", "TXT", "TXT", "PTR", "PTR"])
        await publication.look(ZoneResolver(zones: [try ZoneFile.parse(Array(Self.zone.utf8))]))
        #expect(publication.entries.map(\.isPublished) == [true, true, true, true, false, false, true, false])
        #expect(publication.lines[2].hasPrefix("example.test. MX 10 mail.example.test."))
        // A release that does not sign promises no key.
        #expect(!publication.lines.joined().contains("DKIM"))
        let unknown = DNSPublication(domain: domain, hostname: domain, addresses: [])
        #expect(unknown.entries.map(\.type) == ["A", "MX", "TXT", "TXT"])
    }

    @Test(
        "Addresses of private networks, links and documentation are not public",
        arguments: [
            ("192.0.2.1", false), ("10.1.2.3", false), ("172.20.0.1", false), ("100.64.0.1", false),
            ("192.168.1.1", false), ("169.254.1.1", false), ("127.0.0.1", false), ("0.0.0.0", false), ("8.8.8.8", true),
            ("172.32.0.1", true), ("fe80::1", false), ("fd00::1", false), ("2001:db8::1", false), ("::1", false),
            ("2a00:1450::1", true),
        ])
    func publicAddresses(_ text: String, _ isPublic: Bool) throws {
        #expect(HostAddresses.isPublic(try #require(IPAddress(text))) == isPublic)
    }

    // MARK: The service manager

    @Test("The service manager is told by one datagram, by path and by abstract name")
    func notification() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path
        defer { unlink(path) }
        for name in [path, "@martlet-\(UUID().uuidString)"] {
            let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            var bytes = Array(name.utf8)
            if name.hasPrefix("@") { bytes[0] = 0 }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            let size = socklen_t(2 + bytes.count)
            let status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
            }
            try #require(status == 0)
            ServiceNotification.ready.send(to: name)
            var buffer = [UInt8](repeating: 0, count: 64)
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            #expect(count > 0 && String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self) == "READY=1")
        }
        // Nobody to tell: nothing happens.
        ServiceNotification.ready.send(to: nil)
        ServiceNotification.ready.send(to: "/nowhere/at/all")
    }
}
