import Foundation
import MartletServer
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    /// The mistakes that a file makes, as lines.
    private func mistakes(_ text: String, environment: [String: String] = [:], overrides: [String] = []) -> [String] {
        do {
            _ = try Configuration.load(file: (text, "m.yaml"), environment: environment, overrides: overrides)
            return []
        } catch {
            return error.issues.map(\.description)
        }
    }

    @Test("An empty file is a complete configuration", arguments: ["", "\n\n", "# nothing\n", "---\n", "smtp:\n"])
    func emptyFile(_ text: String) throws {
        let (configuration, _) = try Configuration.load(file: (text, "m.yaml"))
        #expect(configuration.smtp.maximumMessageSize == 50_000_000)
        #expect(
            configuration.listeners.smtp == [.internet(host: "0.0.0.0", port: 25), .internet(host: "::", port: 25)])
        #expect(configuration.imap.idleTimeout == .seconds(1_800))
        #expect(configuration.store.defaultQuota == nil)
        #expect(configuration.subaddressSeparator == "+")
        #expect(configuration.tls == nil)
    }

    @Test(
        "A mistake is told with its line, what is wrong and the remedy",
        arguments: [
            ("smtp:\n  max-eror: 3", "m.yaml:2:3", "unknown key “smtp.max-eror”", "did you mean smtp.max-errors?"),
            ("smpt:\n  max-errors: 3", "m.yaml:2:3", "unknown key “smpt.max-errors”", "did you mean smtp.max-errors?"),
            ("smtp.maxerrors: 3", "m.yaml:1:1", "unknown key “smtp.maxerrors”", "did you mean smtp.max-errors?"),
            (
                "smtp:\n  max-errors: lots", "m.yaml:2:3", "smtp.max-errors: “lots” is not a whole number",
                "smtp.max-errors: 20"
            ),
            ("smtp:\n  max-errors: 0", "m.yaml:2:3", "0 is below the least, 1", "from 1 to 1000"),
            ("smtp:\n  max-errors: [1, 2]", "m.yaml:2:3", "takes one value, not a list", "write smtp.max-errors: 20"),
            ("smtp:\n  max-errors:\n    most: 3", "m.yaml:2:3", "is a key, not a section", "behind the colon"),
            (
                "foo: [{a: 1}, [b], c]", "m.yaml:1:1", "unknown key “foo”",
                "; “martlet config reference” lists every key"
            ),
            ("smtp: 5", "m.yaml:1:7", "“smtp.” is a section, not a key", "indent its keys"),
            (
                "smtp:\n  max-message-size: 50 megs", "m.yaml:2:3", "“50 megs” is not a size",
                "smtp.max-message-size: 50MB"
            ),
            ("smtp:\n  max-message-size: 3GB", "m.yaml:2:3", "3GB is above the most, 2GB", "64KB to 2GB"),
            ("imap:\n  idle-timeout: soon", "m.yaml:2:3", "“soon” is not a duration", "imap.idle-timeout: 30m"),
            ("imap:\n  idle-timeout: 1s", "m.yaml:2:3", "below the least, 1m", "from 1m to 1d"),
            ("auth:\n  delay: perhaps", "m.yaml:2:3", "“perhaps” is not true or false", "auth.delay: true"),
            ("log:\n  level: loud", "m.yaml:2:3", "“loud” is not one of trace, debug", "log.level: info"),
            (
                "listeners:\n  smtp: localhost:25", "m.yaml:2:3", "“localhost:25” is no place to listen on",
                "127.0.0.1:25"
            ),
            ("listeners:\n  smtp: 127.0.0.1:70000", "m.yaml:2:3", "is no place to listen on", "address:port"),
            ("server:\n  hostname: a b", "m.yaml:2:3", "“a b” is not a host name", "write, for example"),
            (
                "tls:\n  certificate: /a.pem", "m.yaml:2:3", "tls.certificate is set and tls.key is not",
                "set tls.key too"
            ),
            ("- a\n- b", "m.yaml:1:1", "the file is no mapping", "write lines such as"),
            ("smtp:\n\tmax-errors: 3", "m.yaml:2:", "not YAML", "mend the line"),
            (
                "smtp:\n  max-errors: 3\n  max-errors: 4", "m.yaml:3:3",
                "“smtp.max-errors” is written twice, first at m.yaml:2:3", "keep one"
            ),
            (
                "smtp:\n  max-errors: 3\nsmtp.max-errors: 4", "m.yaml:3:1", "is written twice, first at m.yaml:2:3",
                "keep one"
            ),
            ("a: 1\nb: \u{1B}[31m", "m.yaml:2:4", "not YAML: a control character", "remove it"),
            ("log.level: \"\\e[31m\"", "m.yaml:1:1", "“\\u{1B}[31m” is not one of", "log.level: info"),
            (
                "listeners:\n  imap: 127.0.0.1:25\n  smtp: 127.0.0.1:25", "m.yaml:2:3",
                "listeners.imap and listeners.smtp both want 127.0.0.1:25",
                "another port"
            ),
        ])
    func mistake(_ text: String, _ place: String, _ problem: String, _ remedy: String) {
        let found = mistakes(text)
        #expect(found.count == 1, "\(found)")
        let line = found.first ?? ""
        #expect(line.hasPrefix(place), "\(line)")
        #expect(line.contains(problem), "\(line)")
        #expect(line.contains(remedy), "\(line)")
    }

    @Test("All mistakes are told at once, in the order of the file, duplicates among them")
    func allAtOnce() {
        let text = """
            smtp:
              max-errors: none
              max-errors: 3
              "max-received": 1
              "max-received": 60
            imap:
              idel-timeout: 5m
            """
        let found = mistakes(
            text, environment: ["MARTLET_LOG_LEVEL": "loud", "MARTLET_LOG_LEVL": "info"],
            overrides: ["x.y=1", "nothing"])
        #expect(found.count == 9, "\(found.joined(separator: "\n"))")
        let places = found.map { $0.prefix { $0 != " " } }
        #expect(
            places == [
                "m.yaml:2:3:", "m.yaml:3:3:", "m.yaml:4:3:", "m.yaml:5:3:", "m.yaml:7:3:", "environment", "environment",
                "--set:", "--set:",
            ])
    }

    @Test("What two keys have wrong between them is told beside what one has wrong alone")
    func conflictsToo() {
        let text = """
            tls:
              certificate: /a.pem
            listeners:
              smtp: 127.0.0.1:25
              imap: 127.0.0.1:25
              pop3: nowhere
            smtp:
              max-errors: none
            """
        let found = mistakes(text)
        #expect(found.count == 4, "\(found.joined(separator: "\n"))")
        for part in ["pop3: “nowhere”", "max-errors: “none”", "tls.key is not", "both want 127.0.0.1:25"] {
            #expect(found.contains { $0.contains(part) }, "\(part)")
        }
        // A key whose value is wrong is told once: what it is to be nobody knows.
        #expect(mistakes("listeners:\n  smtp: x\n  imap: 0.0.0.0:25\n").count == 1)
    }

    @Test("A variable whose section is mistyped is warned of with the nearest key; others' variables are not")
    func mistypedVariable() throws {
        let (_, settings) = try Configuration.load(environment: [
            "MARTLET_SMPT_MAX_ERRORS": "4", "MARTLET_SHARED": "/elsewhere", "MARTLET": "x", "MARTLET_CI": "1",
        ])
        #expect(settings.warnings.count == 1, "\(settings.warnings)")
        #expect(
            settings.warnings.first?.description
                == "environment variable MARTLET_SMPT_MAX_ERRORS: there is no such key; it is passed over; "
                + "did you mean MARTLET_SMTP_MAX_ERRORS?")
    }

    @Test("The environment stands above the file, --set above the environment, and each says where it came from")
    func layers() throws {
        let (configuration, settings) = try Configuration.load(
            preset: [("log.level", "debug"), ("records.keep-days", "3")],
            file: ("smtp:\n  max-errors: 3\n  max-received: 30\n  max-recipients: 200\n", "m.yaml"),
            environment: [
                "MARTLET_SMTP_MAX_ERRORS": "4", "MARTLET_SMTP_MAX_RECEIVED": "40", "MARTLET_SHARED": "/elsewhere",
                "HOME": "/root",
            ],
            overrides: ["smtp.max-errors=5"])
        #expect(configuration.smtp.maximumErrors == 5)
        #expect(configuration.smtp.maximumReceived == 40)
        #expect(configuration.smtp.maximumRecipients == 200)
        #expect(configuration.log.level == "debug")
        #expect(settings["smtp.max-errors"].origin == .commandLine)
        #expect(settings["smtp.max-received"].origin == .environment(variable: "MARTLET_SMTP_MAX_RECEIVED"))
        #expect(settings["smtp.max-recipients"].origin == .file(path: "m.yaml", line: 4, column: 3))
        #expect(settings["records.keep-days"].origin == .lab)
        #expect(settings["imap.idle-timeout"].origin == .builtIn)
    }

    @Test("Lists are YAML lists, or texts with commas, or none")
    func lists() throws {
        let text = """
            listeners:
              smtp: [127.0.0.1:2025, "[::1]:2025"]
              imap:
                - 127.0.0.1:2143
                - /run/imap
              pop3: 127.0.0.1:2110, [::1]:2110
              pop3s: none
            """
        let listeners = try Configuration.load(file: (text, "m.yaml")).configuration.listeners
        #expect(listeners.smtp == [.internet(host: "127.0.0.1", port: 2025), .internet(host: "::1", port: 2025)])
        #expect(listeners.imap == [.internet(host: "127.0.0.1", port: 2143), .unix(path: "/run/imap")])
        #expect(listeners.pop3 == [.internet(host: "127.0.0.1", port: 2110), .internet(host: "::1", port: 2110)])
        #expect(listeners.pop3s == [])
    }

    @Test(
        "Sizes have units",
        arguments: [
            ("1", 1), ("64KiB", 65_536), ("50MB", 50_000_000), ("50 MB", 50_000_000), ("2gb", 2_000_000_000), ("", nil),
            ("MB", nil), ("-1", nil),
            ("9999999999999999999", nil), ("9999999999TB", nil), ("1.5MB", nil),
        ] as [(String, Int64?)])
    func sizes(_ text: String, _ expected: Int64?) {
        #expect(ConfigurationKey.byteCount(text) == expected)
    }

    @Test(
        "Durations have units",
        arguments: [
            ("500ms", .milliseconds(500)), ("30s", .seconds(30)), ("1h30m", .seconds(5_400)),
            ("14d", .seconds(1_209_600)), ("5", nil), ("", nil),
            ("m", nil), ("5 m", nil), ("99999999999d", nil), ("9999999999999999999s", nil),
        ] as [(String, Duration?)])
    func durations(_ text: String, _ expected: Duration?) {
        #expect(ConfigurationKey.duration(text) == expected)
    }

    @Test("Every key has a default that it takes itself, a documentation, a name of its own in the environment")
    func table() {
        #expect(Set(ConfigurationKey.all.map(\.name)).count == ConfigurationKey.all.count)
        #expect(Set(ConfigurationKey.all.map(\.environmentVariable)).count == ConfigurationKey.all.count)
        for key in ConfigurationKey.all {
            #expect(throws: Never.self, "\(key.name)") { try key.parse([key.defaultText]) }
            #expect(key.documentation.count > 40, "\(key.name)")
            #expect(key.documentation.hasSuffix("."), "\(key.name)")
        }
    }

    @Test("The reference tells of every key")
    func reference() {
        let markdown = ConfigurationReference.markdown()
        for key in ConfigurationKey.all {
            #expect(markdown.contains("### `\(key.name)`"))
            #expect(markdown.contains("`\(key.environmentVariable)`"))
            #expect(markdown.contains(key.documentation))
        }
        #expect(ConfigurationReference.entries().count == ConfigurationKey.all.count)
    }

    @Test("Docs/configuration.md is what `martlet config reference` prints")
    func documentation() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = String(
            decoding: try Data(contentsOf: root.appendingPathComponent("Docs/configuration.md")), as: UTF8.self)
        #expect(
            text == ConfigurationReference.markdown() + "\n",
            "write it anew: martlet config reference > Docs/configuration.md")
    }
}
