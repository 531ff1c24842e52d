import DNSProtocol
import MartletCore
import Testing

@Suite struct HostMemoryTests {
    private let start = Instant(seconds: 1_000_000)

    private func endPoint(_ number: Int, port: UInt16 = 25) throws -> HostMemory.EndPoint {
        HostMemory.EndPoint(try #require(IPAddress("10.0.\(number / 256).\(number % 256)")), port: port)
    }

    @Test("A pause follows a failure; each failure after it makes the next one twice as long, up to the longest")
    func pauses() throws {
        var memory = HostMemory()
        let host = try endPoint(1)
        var now = start
        for expected in [60, 120, 240, 480, 960, 1_800, 1_800] as [Int64] {
            #expect(memory.isAlive(host, at: now))
            let retry = memory.failed(host, at: now)
            #expect(retry - now == .seconds(expected))
            #expect(!memory.isAlive(host, at: now) && memory.retryTime(of: host, at: now) == retry)
            #expect(!memory.isAlive(host, at: retry + .microseconds(-1)))
            #expect(memory.isAlive(host, at: retry) && memory.retryTime(of: host, at: retry) == nil)
            now = retry
        }
    }

    @Test("Failures within a pause are one failure; success forgets; a long time without failure does too")
    func forgetting() throws {
        var memory = HostMemory()
        let host = try endPoint(1)
        let first = memory.failed(host, at: start)
        for second in 1..<60 as Range<Int64> { #expect(memory.failed(host, at: start + .seconds(second)) == first) }
        #expect(memory.failed(host, at: first) - first == .seconds(120))
        memory.succeeded(host)
        #expect(memory.isAlive(host, at: first) && memory.count == 0)
        let again = memory.failed(host, at: start)
        #expect(memory.failed(host, at: again + .seconds(7_199)) - again == .seconds(7_199 + 120))
        memory.succeeded(host)
        let third = memory.failed(host, at: start)
        #expect(memory.failed(host, at: third + .seconds(7_200)) - third == .seconds(7_200 + 60))
    }

    @Test("A port is another server; a mapped address is not")
    func endPoints() throws {
        var memory = HostMemory()
        memory.failed(try endPoint(1), at: start)
        #expect(memory.isAlive(try endPoint(1, port: 587), at: start))
        let mapped = HostMemory.EndPoint(try #require(IPAddress("::ffff:10.0.0.1")), port: 25)
        #expect(!memory.isAlive(mapped, at: start))
    }

    @Test("It holds at most its capacity, and forgets first what may be tried again first")
    func capacity() throws {
        var memory = HostMemory(capacity: 64)
        for number in 0..<1_000 {
            memory.failed(try endPoint(number), at: start + .milliseconds(number))
            #expect(memory.count <= 64)
        }
        #expect(!memory.isAlive(try endPoint(999), at: start + .seconds(1)))
        #expect(memory.isAlive(try endPoint(0), at: start + .seconds(1)))
        var one = HostMemory(capacity: 1)
        one.failed(try endPoint(1), at: start)
        one.failed(try endPoint(2), at: start)
        #expect(one.count == 1)
        #expect(!one.isAlive(try endPoint(2), at: start))
    }

    @Test("Of hosts those addresses are left that may be tried, and when there are none, it is known when")
    func hosts() throws {
        var memory = HostMemory()
        let addresses = try (1...3).map { try endPoint($0).address }
        let hosts = [
            MailHost(
                name: Domain("a.test"), origin: .mx, addresses: Array(addresses.prefix(2)), addressSecurity: .insecure),
            MailHost(name: Domain("b.test"), origin: .mx, addresses: [addresses[2]], addressSecurity: .insecure),
        ]
        #expect(memory.alive(hosts, port: 25, at: start) == hosts)
        #expect(memory.nextTry(hosts, port: 25, at: start) == nil)
        memory.failed(try endPoint(1), at: start)
        memory.failed(try endPoint(3), at: start + .seconds(1))
        let left = memory.alive(hosts, port: 25, at: start + .seconds(1))
        #expect(left.map(\.addresses) == [[addresses[1]]])
        memory.failed(try endPoint(2), at: start + .seconds(2))
        #expect(memory.nextTry(hosts, port: 25, at: start + .seconds(2)) == start + .seconds(60))
        #expect(memory.nextTry(hosts, port: 26, at: start + .seconds(2)) == nil)
    }
}
