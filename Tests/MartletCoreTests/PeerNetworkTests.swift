import MartletCore
import Testing

@Suite struct PeerNetworkTests {
    @Test(
        "an IPv4 address is itself, an IPv6 address its /64",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("local", "local"), ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8::1", "2001:db8:0:0::/64"),
            ("::1", "0:0:0:0::/64"), ("::", "0:0:0:0::/64"), ("1::", "1:0:0:0::/64"),
        ])
    func network(_ address: String, _ expected: String) {
        #expect(PeerNetwork(address).description == expected)
    }
}
