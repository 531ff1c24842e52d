import CertificateIssuance
import Synchronization
import Testing

@Suite("Connections of which the oldest goes") struct RecentConnectionsTests {
    private final class Ended: Sendable {
        let names = Mutex<[String]>([])
        func end(_ name: String) -> @Sendable () -> Void { { self.names.withLock { $0.append(name) } } }
        var all: [String] { names.withLock { $0 } }
    }

    @Test("one too many from an address ends that address's oldest, and nobody else's")
    func perAddress() {
        let (ended, connections) = (Ended(), RecentConnections(limit: 10, limitPerAddress: 2))
        for (number, address) in ["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.2", "192.0.2.2"].enumerated() {
            _ = connections.opened(address: address, close: ended.end("\(number)"))
        }
        #expect(ended.all == ["1", "2"])
        // A network of somebody's own is one address.
        for (number, address) in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3"].enumerated() {
            _ = connections.opened(address: address, close: ended.end("six \(number)"))
        }
        #expect(ended.all == ["1", "2", "six 0"] && connections.count == 5)
    }

    @Test("one too many of all ends the oldest of all; one that has ended counts no more and is not ended again")
    func inAll() {
        let (ended, connections) = (Ended(), RecentConnections(limit: 3, limitPerAddress: 2))
        let numbers = (0..<3).map { connections.opened(address: "192.0.2.\($0)", close: ended.end("\($0)")) }
        connections.closed(numbers[0])
        connections.closed(numbers[0])
        connections.closed(4_711)
        _ = connections.opened(address: "192.0.2.3", close: ended.end("3"))
        #expect(ended.all == [] && connections.count == 3)
        _ = connections.opened(address: "192.0.2.4", close: ended.end("4"))
        #expect(ended.all == ["1"] && connections.count == 3)
    }
}
