internal import Foundation
internal import Glibc
package import MartletCore

/// One thing that was looked at before a server is set up, in one line with its remedy.
package struct HostCheck: Sendable, Hashable, Encodable {
    package enum State: String, Sendable, Encodable {
        case fine
        /// The server runs, and something will not work.
        case warning
        /// Nothing is made.
        case fatal
        /// It cannot be told.
        case unknown
    }

    /// `ports`, `clock`, `resolver`, `address`, `reverse`.
    package let name: String
    package let state: State
    package let told: String
    package let remedy: String?

    package init(_ name: String, _ state: State, _ told: String, remedy: String? = nil) {
        self.name = name
        self.state = state
        self.told = told
        self.remedy = remedy
    }

    package var line: String { "\(name): \(told)" + (remedy.map { "; \($0)" } ?? "") }

    // MARK: The clock

    /// No clock that is right shows less than this.
    static let earliest = Instant(year: 2026, month: 1, day: 1)

    /// - Parameter isSynchronised: whether the kernel says that something keeps the clock right; nil when it does not say.
    package static func clock(_ now: Instant, isSynchronised: Bool?) -> HostCheck {
        guard now >= earliest else {
            return HostCheck(
                "clock", .fatal, "it is \(now), which cannot be: certificates and logins would be wrong",
                remedy: "set the clock, for example with “apt-get install chrony”")
        }
        guard isSynchronised == false else { return HostCheck("clock", .fine, "\(now)") }
        return HostCheck(
            "clock", .warning, "\(now), and nothing keeps it right",
            remedy: "install chrony, or run “timedatectl set-ntp true”")
    }

    /// Octets that are more than `struct timex` has.
    private static let timexRoom = 512
    /// `TIME_ERROR`
    private static let clockIsFree: Int32 = 5

    /// Whether something keeps the kernel's clock in step; nil when it does not say. adjtimex(2) with nothing to adjust, which
    /// the toolchain's module of the C library leaves out.
    static var isClockSynchronised: Bool? {
        typealias Function = @convention(c) (UnsafeMutableRawPointer) -> Int32
        guard let symbol = dlsym(nil, "adjtimex") else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: timexRoom, alignment: 16) { room in
            room.initializeMemory(as: UInt8.self, repeating: 0)
            guard let start = room.baseAddress else { return nil }
            let result = unsafeBitCast(symbol, to: Function.self)(start)
            return result < 0 ? nil : result != clockIsFree
        }
    }

    // MARK: Ports

    /// - Parameters:
    ///   - bindError: the error of binding an address; nil when it is free.
    ///   - holder: who listens on a port.
    package static func ports(
        _ listeners: Configuration.Listeners, bindError: (String, Int) -> Int32?, holder: (Int) -> String?
    ) -> [HostCheck] {
        var checks: [HostCheck] = []
        var free: Set<Int> = []
        var untried: Set<Int> = []
        var held: Set<Int> = []
        for (service, addresses) in listeners.all {
            for case .internet(let host, let port) in addresses {
                let place = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
                switch bindError(host, port) {
                case nil: free.insert(port)
                case EACCES: untried.insert(port)
                case EADDRINUSE:
                    guard held.insert(port).inserted else { continue }
                    let who = holder(port)
                    checks.append(
                        HostCheck(
                            "ports", .warning, "\(service) \(port) is held by \(who ?? "another program")",
                            remedy: "end it, or give listeners.\(service) another address"))
                case EADDRNOTAVAIL, EAFNOSUPPORT:
                    checks.append(
                        HostCheck(
                            "ports", .warning, "\(place) does not belong to this machine",
                            remedy: "correct listeners.\(service)"))
                case let code?:
                    checks.append(
                        HostCheck("ports", .warning, "\(service) \(place): \(String(cString: strerror(code)))"))
                }
            }
        }
        func told(_ ports: Set<Int>) -> String { ports.sorted().map(String.init).joined(separator: ", ") }
        if !untried.isEmpty {
            checks.append(
                HostCheck(
                    "ports", .unknown, "\(told(untried)) cannot be tried without root",
                    remedy: "run this as root, or start the server by its unit"))
        }
        free.subtract(held)
        if !free.isEmpty { checks.insert(HostCheck("ports", .fine, "\(told(free)) are free"), at: 0) }
        return checks
    }
}
