internal import MailStore
internal import MartletCore

/// How long a login waits, from the failures before it. Pure: time is an argument.
///
/// Three counters grow with each failure and are forgiven one failure a minute: of the address (a `PeerNetwork`),
/// of the account, and of the pair of both. Somebody who has logged in to the account from the address before is slowed by
/// the pair's own failures only: others' guesses never lock the owner out. Nobody waits longer than the cap.
struct LoginThrottle {
    /// Failures in a row that cost nothing: people mistype.
    static let freeFailures = 3.0
    static let firstDelay = Duration.milliseconds(500)
    static let maximumDelay = Duration.seconds(15)
    /// For an address that has logged in to the account before.
    static let maximumDelayWhenKnown = Duration.seconds(5)
    /// Where a counter stops growing: forgiven after 20 minutes.
    static let maximumLevel = 20.0
    static let forgivenAfter = Duration.seconds(60)
    /// Entries of each table.
    static let maximumEntries = 65_536
    /// A pair that logged in is known for so long.
    static let knownFor = Duration.seconds(30 * 86_400)

    /// Whose login it is: an account, or a name that is nobody's, which must behave alike.
    enum Subject: Hashable, Sendable {
        case account(AccountID)
        case nobody(String)
    }

    struct Pair: Hashable, Sendable {
        var address: PeerNetwork
        var subject: Subject
    }

    private struct Level {
        var value: Double
        var at: Instant

        func value(at now: Instant) -> Double {
            // A clock that jumps back forgives nothing and punishes nobody.
            let passed = max(Duration.zero, now - at)
            return max(0, value - passed / LoginThrottle.forgivenAfter)
        }
    }

    /// An attempt that is under way: its place in the order of arrival.
    typealias Ticket = UInt64

    private var nextTicket: Ticket = 0
    /// Attempts under way, in the order of arrival.
    private var addressesUnderWay: [PeerNetwork: [Ticket]] = [:]
    private var subjectsUnderWay: [Subject: [Ticket]] = [:]
    private var pairsUnderWay: [Pair: [Ticket]] = [:]

    private var addresses: [PeerNetwork: Level] = [:]
    private var subjects: [Subject: Level] = [:]
    private var pairs: [Pair: Level] = [:]
    private var known: [Pair: Instant] = [:]

    /// How long this login waits before it is looked at. Zero for nearly everybody.
    ///
    /// Attempts that came earlier and are still under way count like failures until they end, so that many at once gain
    /// nothing over one after the other. To be asked again while it waits: those before it may turn out right.
    func delay(_ pair: Pair, ticket: Ticket, now: Instant) -> Duration {
        if isKnown(pair, now: now) {
            let level = (pairs[pair]?.value(at: now) ?? 0) + LoginThrottle.ahead(pairsUnderWay[pair], of: ticket)
            return LoginThrottle.delay(level, cap: LoginThrottle.maximumDelayWhenKnown)
        }
        let level = max(
            (addresses[pair.address]?.value(at: now) ?? 0)
                + LoginThrottle.ahead(addressesUnderWay[pair.address], of: ticket),
            (subjects[pair.subject]?.value(at: now) ?? 0)
                + LoginThrottle.ahead(subjectsUnderWay[pair.subject], of: ticket))
        return LoginThrottle.delay(level, cap: LoginThrottle.maximumDelay)
    }

    /// An attempt begins; each one ends.
    mutating func began(_ pair: Pair) -> Ticket {
        nextTicket += 1
        addressesUnderWay[pair.address, default: []].append(nextTicket)
        subjectsUnderWay[pair.subject, default: []].append(nextTicket)
        pairsUnderWay[pair, default: []].append(nextTicket)
        return nextTicket
    }

    mutating func ended(_ pair: Pair, ticket: Ticket) {
        LoginThrottle.remove(ticket, from: &addressesUnderWay, pair.address)
        LoginThrottle.remove(ticket, from: &subjectsUnderWay, pair.subject)
        LoginThrottle.remove(ticket, from: &pairsUnderWay, pair)
    }

    private static func remove<Key: Hashable>(_ ticket: Ticket, from table: inout [Key: [Ticket]], _ key: Key) {
        table[key]?.removeAll { $0 == ticket }
        if table[key]?.isEmpty == true { table[key] = nil }
    }

    private static func ahead(_ tickets: [Ticket]?, of ticket: Ticket) -> Double {
        // Levels above the maximum make no difference.
        Double(tickets?.prefix(Int(maximumLevel)).prefix { $0 < ticket }.count ?? 0)
    }

    func isKnown(_ pair: Pair, now: Instant) -> Bool { known[pair].map { now - $0 < LoginThrottle.knownFor } ?? false }

    mutating func failed(_ pair: Pair, now: Instant) {
        LoginThrottle.raise(&pairs, pair, now)
        // What a known address does wrong is not held against the others' way to the account.
        if isKnown(pair, now: now) { return }
        LoginThrottle.raise(&addresses, pair.address, now)
        LoginThrottle.raise(&subjects, pair.subject, now)
    }

    /// Forgives the pair; the address keeps its level, or an attacker's own account would wash his guesses.
    mutating func succeeded(_ pair: Pair, now: Instant) {
        pairs[pair] = nil
        if known.count >= LoginThrottle.maximumEntries, known[pair] == nil { LoginThrottle.shrink(&known) { $0 } }
        known[pair] = now
    }

    /// 0 up to three failures, then 0.5 s, doubled with each, up to the cap.
    static func delay(_ level: Double, cap: Duration) -> Duration {
        guard level > freeFailures else { return .zero }
        var delay = firstDelay
        var rest = level - freeFailures - 1
        while rest > 0, delay < cap {
            delay = delay * 2
            rest -= 1
        }
        return min(delay, cap)
    }

    private static func raise<Key: Hashable>(_ table: inout [Key: Level], _ key: Key, _ now: Instant) {
        if table.count >= maximumEntries, table[key] == nil {
            table = table.filter { $0.value.value(at: now) > 0 }
            if table.count > maximumEntries / 2 { shrink(&table) { $0.at } }
        }
        table[key] = Level(value: min(maximumLevel, (table[key]?.value(at: now) ?? 0) + 1), at: now)
    }

    /// Forgets the older half, so that the cost of a full table is shared by many insertions.
    private static func shrink<Key: Hashable, Value>(_ table: inout [Key: Value], age: (Value) -> Instant) {
        let middle = table.values.map(age).sorted()[table.count / 2]
        table = table.filter { age($0.value) > middle }
    }
}
