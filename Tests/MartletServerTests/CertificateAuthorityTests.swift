import Foundation
import MartletCore
import MartletServer
import Testing

@Suite("The server's own authority")
struct CertificateAuthorityTests {
    private let addresses: [[UInt8]] = [[127, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]

    private func withDirectory(_ body: (DataDirectory) throws -> Void) throws {
        let directory = DataDirectory(
            FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path)
        try directory.create()
        defer { try? FileManager.default.removeItem(atPath: directory.path) }
        try body(directory)
    }

    @Test("A certificate is kept and used again, and made anew near its end or for other names, by the same authority")
    func reuse() throws {
        try withDirectory { directory in
            let authority = CertificateAuthority(directory: directory)
            let now = Instant(year: 2026, month: 11, day: 24)
            let first = try authority.identity(
                names: ["localhost", "mail.example.test"], addresses: addresses, now: now)
            let ca = directory.read(directory.authorityCertificate)
            #expect(ca?.hasPrefix("-----BEGIN CERTIFICATE-----") == true)
            let again = try authority.identity(
                names: ["localhost", "mail.example.test"], addresses: addresses, now: now + .seconds(86_400))
            #expect(again.certificates == first.certificates)
            #expect(again.key == first.key)
            let other = try authority.identity(names: ["localhost", "mail.other.test"], addresses: addresses, now: now)
            #expect(other.certificates != first.certificates)
            let renewed = try authority.identity(
                names: ["localhost", "mail.other.test"], addresses: addresses, now: now + .seconds(380 * 86_400))
            #expect(renewed.certificates != other.certificates)
            #expect(directory.read(directory.authorityCertificate) == ca)
        }
    }

    @Test(
        "Damaged files are replaced", arguments: ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    func damaged(_ text: String) throws {
        try withDirectory { directory in
            let authority = CertificateAuthority(directory: directory)
            let now = Instant(year: 2026, month: 11, day: 24)
            _ = try authority.identity(names: ["localhost"], addresses: addresses, now: now)
            try directory.write(text, to: directory.serverCertificate, mode: 0o644)
            let mended = try authority.identity(names: ["localhost"], addresses: addresses, now: now)
            #expect(String(decoding: mended.certificates, as: UTF8.self) == directory.read(directory.serverCertificate))
        }
    }

    @Test("Keys are the owner's alone, the authority's certificate is everybody's")
    func modes() throws {
        try withDirectory { directory in
            _ = try CertificateAuthority(directory: directory).identity(
                names: ["localhost"], addresses: addresses, now: SystemClock().now())
            let expected = [
                directory.authorityKey: 0o600, directory.serverKey: 0o600, directory.authorityCertificate: 0o644,
                directory.tls: 0o700,
                directory.path: 0o755,
            ]
            for (path, mode) in expected {
                #expect(
                    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == mode, "\(path)"
                )
            }
        }
    }
}
