import Foundation
import Testing

import Observation

@Suite("Alarms")
struct AlarmTests {
    static let thresholds = AlarmThresholds(
        certificateRest: .seconds(14 * 86_400), queueAge: .seconds(4 * 3_600), diskFree: 1_000_000_000,
        diskFreePercent: 5, diskReserve: 64_000_000)

    static func facts(_ change: (inout ObservedFacts) -> Void = { _ in }) -> ObservedFacts {
        var facts = ObservedFacts()
        facts.ledgerDrift = 0
        facts.queueAge = .zero
        facts.certificates = [certificate(.seconds(60 * 86_400))]
        facts.disk = .init(free: 50_000_000_000, total: 100_000_000_000)
        facts.writing = .works
        change(&facts)
        return facts
    }

    static func certificate(
        _ rest: Duration, _ source: ObservedFacts.Certificate.Source = .file,
        lifetime: Duration = .seconds(90 * 86_400),
        names: [String] = ["mail.example.org"], origin: String = "/etc/cert.pem"
    ) -> ObservedFacts.Certificate {
        ObservedFacts.Certificate(names: names, origin: origin, source: source, rest: rest, lifetime: lifetime)
    }

    static func alarm(_ certificates: [ObservedFacts.Certificate]) -> Alarm? {
        var board = AlarmBoard()
        _ = board.update(AlarmRules.findings(facts { $0.certificates = certificates }, thresholds))
        return board.alarms.first
    }

    static func names(_ facts: ObservedFacts, _ thresholds: AlarmThresholds = thresholds) -> [Alarm.Name] {
        var board = AlarmBoard()
        _ = board.update(AlarmRules.findings(facts, thresholds))
        return board.alarms.map(\.name)
    }

    @Test("When all is well there is none")
    func none() { #expect(Self.names(Self.facts()).isEmpty) }

    @Test("A ledger that is off by one either way is an alarm", arguments: [1, -1] as [Int64])
    func ledger(_ drift: Int64) {
        #expect(Self.names(Self.facts { $0.ledgerDrift = drift }) == [.ledgerDrift])
    }

    @Test(
        "A threshold itself is still well, and what is beyond it is not",
        arguments: [
            (14 * 86_400, []), (14 * 86_400 - 1, [.certificateExpiry]), (0, [.certificateExpiry]),
            (-86_400, [.certificateExpiry]),
        ] as [(Int64, [Alarm.Name])])
    func certificate(_ seconds: Int64, _ expected: [Alarm.Name]) {
        let facts = Self.facts { $0.certificates = [Self.certificate(.seconds(seconds))] }
        #expect(Self.names(facts) == expected)
    }

    @Test(
        "A certificate that the server renews by itself is an alarm when that is overdue, and not before",
        arguments: [
            // Hours that it is valid for, of how many in all. It is renewed with a third left.
            (.acme, 15 * 24, 90 * 24, false), (.acme, 13 * 24, 90 * 24, true),
            (.acme, 48, 6 * 24, false), (.acme, 36, 6 * 24, false), (.acme, 35, 6 * 24, true), (.acme, 0, 6 * 24, true),
            (.acme, 0, 0, false), (.acme, -1, 0, true),
            // By people: what is valid for days is near its end however short it lives.
            (.file, 48, 6 * 24, true),
            (.own, 14 * 24, 397 * 24, false), (.own, 13 * 24, 397 * 24, true),
        ] as [(ObservedFacts.Certificate.Source, Int64, Int64, Bool)])
    func renewedByItself(_ source: ObservedFacts.Certificate.Source, _ rest: Int64, _ lifetime: Int64, _ isAlarm: Bool)
    {
        let certificate = Self.certificate(.seconds(rest * 3_600), source, lifetime: .seconds(lifetime * 3_600))
        #expect((Self.alarm([certificate]) != nil) == isAlarm)
    }

    @Test("A longer threshold does not make an alarm of what is renewed later", arguments: [(30, false), (28, true)])
    func ownAuthority(_ days: Int64, _ isAlarm: Bool) {
        var thresholds = Self.thresholds
        thresholds.certificateRest = .seconds(100 * 86_400)
        let facts = Self.facts { $0.certificates = [Self.certificate(.seconds(days * 86_400), .own)] }
        #expect(Self.names(facts, thresholds).isEmpty != isAlarm)
    }

    @Test("The alarm says which certificate it is, and what to do depends on who renews it")
    func whichCertificate() throws {
        let day = Duration.seconds(86_400)
        let files = try #require(
            Self.alarm([Self.certificate(day * 60), Self.certificate(day * 3, names: ["a.test", "b.test"])]))
        #expect(
            files.text
                == "The certificate for a.test, b.test (/etc/cert.pem) is valid for 3 days more, less than 14 days.")
        #expect(files.remedy.contains("in the place of /etc/cert.pem") && files.remedy.contains("SIGHUP"))
        let acme = try #require(Self.alarm([Self.certificate(day, .acme, lifetime: day * 6, names: ["a.test"])]))
        #expect(acme.text.hasSuffix("is valid for 1 day more, less than 1 day 12 hours: its renewal is overdue."))
        #expect(acme.remedy.contains("“martlet certificate renew a.test”") && !acme.remedy.contains("SIGHUP"))
        let own = try #require(Self.alarm([Self.certificate(.zero - day, .own, names: [], origin: "/data/own.pem")]))
        #expect(own.text == "The certificate in /data/own.pem expired 1 day ago; mail programs refuse it.")
        #expect(own.remedy.contains("in the log"))
        #expect(Set([files.remedy, acme.remedy, own.remedy]).count == 3)
    }

    @Test("Of several the one that ends first is told of, and the others are named")
    func several() throws {
        let day = Duration.seconds(86_400)
        let all = (0..<6).map {
            Self.certificate(day * (9 - $0), names: $0 == 2 ? [] : ["\($0).test"], origin: "/etc/\($0).pem")
        }
        let alarm = try #require(Self.alarm([Self.certificate(day * 60)] + all))
        #expect(
            alarm.text
                == "The certificate for 5.test (/etc/5.pem) is valid for 4 days more, less than 14 days. "
                + "5 more near the end: 4.test; 3.test; /etc/2.pem; ….")
        #expect(alarm.remedy.contains("/etc/5.pem"))
    }

    @Test("Labels of metrics have one style")
    func labels() {
        #expect(Alarm.Name.allCases.map(\.label).allSatisfy { $0.allSatisfy { $0 == "_" || $0.isLowercase } })
        #expect(Alarm.Name.queueAge.label == "queue_age")
    }

    @Test("The queue's age likewise", arguments: [(14_400, []), (14_401, [.queueAge])] as [(Int64, [Alarm.Name])])
    func queue(_ seconds: Int64, _ expected: [Alarm.Name]) {
        #expect(Self.names(Self.facts { $0.queueAge = .seconds(seconds) }) == expected)
    }

    @Test(
        "Of the disk either the share or the octets are too few",
        arguments: [
            (1_000_000_000, 10_000_000_000, []), (999_999_999, 10_000_000_000, [.diskSpace]),
            (4_999_999_999, 100_000_000_000, [.diskSpace]), (5_000_000_000, 100_000_000_000, []),
            (50_000_000, 100_000_000_000, [.diskSpace, .storeUnwritable]), (2_000_000_000, 0, []),
        ] as [(Int64, Int64, [Alarm.Name])])
    func disk(_ free: Int64, _ total: Int64, _ expected: [Alarm.Name]) {
        #expect(Self.names(Self.facts { $0.disk = .init(free: free, total: total) }) == expected)
    }

    @Test("Thresholds that are switched off raise nothing")
    func off() {
        let off = AlarmThresholds(
            certificateRest: nil, queueAge: nil, diskFree: 0, diskFreePercent: 0, diskReserve: 0)
        let facts = Self.facts {
            $0.queueAge = .seconds(1_000_000)
            $0.certificates = [Self.certificate(.seconds(-1)), Self.certificate(.seconds(-1), .acme)]
            $0.disk = .init(free: 0, total: 100)
        }
        #expect(Self.names(facts, off).isEmpty)
    }

    @Test("An alarm is told of when it begins and when it ends, and what is not known ends none")
    func board() {
        var board = AlarmBoard()
        func update(_ facts: ObservedFacts) -> [AlarmBoard.Change] {
            board.update(AlarmRules.findings(facts, Self.thresholds))
        }
        let late = Self.facts { $0.queueAge = .seconds(20_000) }
        let later = Self.facts { $0.queueAge = .seconds(30_000) }
        #expect(update(Self.facts()).isEmpty)
        guard case .began(let alarm)? = update(late).first else {
            Issue.record("it did not begin")
            return
        }
        #expect(alarm.text == "A message has waited 5 hours 33 minutes for another server, longer than 4 hours.")
        #expect(update(later).isEmpty)
        #expect(update(ObservedFacts()).isEmpty)
        #expect(board.alarms.map(\.name) == [.queueAge])
        guard case .ended(let ended)? = update(Self.facts()).first else {
            Issue.record("it did not end")
            return
        }
        #expect(ended.name == .queueAge)
        #expect(board.alarms.isEmpty)
    }

    @Test("Each alarm says one thing to do")
    func remedies() {
        let facts = Self.facts {
            $0.ledgerDrift = 7
            $0.queueAge = .seconds(1_000_000)
            $0.certificates = [Self.certificate(.seconds(-5))]
            $0.disk = .init(free: 1, total: 100)
            $0.writing = .fails("no space left on device")
        }
        var board = AlarmBoard()
        let changes = board.update(AlarmRules.findings(facts, Self.thresholds))
        #expect(changes.count == Alarm.Name.allCases.count)
        #expect(board.alarms.allSatisfy { !$0.remedy.isEmpty && $0.text.hasSuffix(".") })
        #expect(board.alarms.filter(\.stopsMail).map(\.name) == [.storeUnwritable])
    }

    @Test("A server is ready when it runs and nothing stops mail")
    func readiness() throws {
        let warning = Alarm(.certificateExpiry, "Soon.", remedy: "renew")
        let stop = Alarm(.storeUnwritable, "No \"room\".", remedy: "make room", stopsMail: true)
        #expect(Readiness(phase: .running, alarms: [warning]).isReady)
        #expect(!Readiness(phase: .starting, alarms: []).isReady)
        #expect(
            Readiness(phase: .stopping, alarms: [stop]).reasons == ["The server is shutting down.", "No \"room\"."])
        let json = Readiness(phase: .running, alarms: [warning, stop]).json
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(object["ready"] as? Bool == false)
        #expect(object["reasons"] as? [String] == ["No \"room\"."])
        #expect(
            (object["alarms"] as? [[String: Any]])?.map { $0["name"] as? String } == [
                "certificate-expiry", "store-unwritable",
            ])
    }
}
