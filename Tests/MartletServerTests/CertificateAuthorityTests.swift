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

    @Test("A clock that is behind replaces neither the authority nor the certificate, and is told of")
    func clockBehind() throws {
        try withDirectory { directory in
            let authority = CertificateAuthority(directory: directory)
            let now = Instant(year: 2026, month: 11, day: 24)
            let first = try authority.identity(names: ["localhost"], addresses: addresses, now: now)
            #expect(first.warning == nil)
            let kept = directory.read(directory.authorityCertificate)
            for earlier in [now + .seconds(-86_400), Instant(seconds: 0)] {
                let again = try authority.identity(names: ["localhost"], addresses: addresses, now: earlier)
                #expect(again.certificates == first.certificates)
                #expect(again.warning?.contains("is the clock right?") == true)
                #expect(directory.read(directory.authorityCertificate) == kept)
            }
            // For other names a certificate is made that the authority's own time covers.
            let other = try authority.identity(names: ["mail.test"], addresses: addresses, now: Instant(seconds: 0))
            let today = try authority.identity(names: ["mail.test"], addresses: addresses, now: now)
            #expect(other.certificates == today.certificates)
        }
    }

    @Test("An authority that cannot be read, or whose key is gone, is never written over")
    func unreadableAuthority() throws {
        try withDirectory { directory in
            let authority = CertificateAuthority(directory: directory)
            let now = Instant(year: 2026, month: 11, day: 24)
            _ = try authority.identity(names: ["localhost"], addresses: addresses, now: now)
            let key = try #require(directory.read(directory.authorityKey))
            try FileManager.default.removeItem(atPath: directory.authorityKey)
            let kept = directory.read(directory.authorityCertificate)
            for _ in 0..<2 {
                #expect(throws: CertificateAuthority.Failure.self) {
                    try authority.identity(names: ["localhost"], addresses: addresses, now: now)
                }
            }
            #expect(directory.read(directory.authorityCertificate) == kept)
            try directory.write(key, to: directory.authorityKey, mode: 0o600)
            _ = try authority.identity(names: ["localhost"], addresses: addresses, now: now)
            try directory.write("damaged", to: directory.authorityCertificate, mode: 0o644)
            #expect(throws: CertificateAuthority.Failure.self) {
                try authority.identity(names: ["localhost"], addresses: addresses, now: now)
            }
            #expect(directory.read(directory.authorityCertificate) == "damaged")
            // Moved away, it is made anew; near its end too.
            try FileManager.default.removeItem(atPath: directory.authorityCertificate)
            _ = try authority.identity(names: ["localhost"], addresses: addresses, now: now)
            let second = directory.read(directory.authorityCertificate)
            _ = try authority.identity(
                names: ["localhost"], addresses: addresses, now: now + .seconds(3_640 * 86_400))
            #expect(directory.read(directory.authorityCertificate) != second)
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
                directory.path: 0o700,
            ]
            for (path, mode) in expected {
                #expect(
                    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == mode, "\(path)"
                )
            }
        }
    }
}
