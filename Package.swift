// swift-tools-version: 6.1
// Arrows point down only (Docs/architecture.md). A target under Foundations, Protocols or MailFlow is pure: it lists
// neither NIO nor GRDB, reads no clock and opens no file. `Tools/check` holds the import rules against this file.
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]

func pure(_ name: String, in group: String, folder: String? = nil, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(group)/\(folder ?? name)", exclude: ["README.md"],
        swiftSettings: settings)
}

func shell(_ name: String, in group: String, folder: String? = nil, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(group)/\(folder ?? name)", exclude: ["README.md"],
        swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)Tests", swiftSettings: settings)
}

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let tls: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")

let package = Package(
    name: "martlet",
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        // The pure libraries, for fuzzers, the simulator and other programs.
        .library(name: "MessageFormat", targets: ["MessageFormat"]),
        .library(name: "SMTPProtocol", targets: ["SMTPProtocol"]),
        .library(name: "IMAPProtocol", targets: ["IMAPProtocol"]),
        .library(name: "POP3Protocol", targets: ["POP3Protocol"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C libraries
        .systemLibrary(
            name: "CArgon2", path: "Sources/CLibraries/CArgon2", pkgConfig: "libargon2",
            providers: [.apt(["libargon2-dev"])]),
        .systemLibrary(
            name: "CIDN2", path: "Sources/CLibraries/CIDN2", pkgConfig: "libidn2", providers: [.apt(["libidn2-dev"])]),
        .systemLibrary(
            name: "CUnbound", path: "Sources/CLibraries/CUnbound", providers: [.apt(["libunbound-dev"])]),
        .target(name: "CIconv", path: "Sources/CLibraries/CIconv"),
        // Foundations
        pure("MartletBytes", in: "Foundations"),
        pure("MartletCore", in: "Foundations", ["MartletBytes", "CIDN2"]),
        // Protocols
        pure("MessageFormat", in: "Protocols", ["MartletBytes", "MartletCore", "CIconv"]),
        pure("SMTPProtocol", in: "Protocols", ["MartletBytes", "MartletCore"]),
        pure("IMAPProtocol", in: "Protocols", ["MartletBytes", "MartletCore"]),
        pure("POP3Protocol", in: "Protocols", ["MartletBytes", "MartletCore"]),
        pure("DNSProtocol", in: "Protocols", ["MartletBytes", "MartletCore"]),
        pure("SASLMechanisms", in: "Protocols", ["MartletBytes", "MartletCore", crypto, cryptoExtras]),
        pure("ACMEProtocol", in: "Protocols", ["MartletBytes", "MartletCore", crypto]),
        // Mail flow
        pure("Records", in: "MailFlow", ["MartletBytes", "MartletCore"]),
        pure("MailStore", in: "MailFlow", ["MartletBytes", "MartletCore", "Records", "MessageFormat"]),
        pure("DeliveryPolicy", in: "MailFlow", ["MartletBytes", "MartletCore", "MailStore", "Records"]),
        pure("QueueEngine", in: "MailFlow", ["MartletCore", "MailStore", "Records"]),
        // Runtime
        shell("ServerMetrics", in: "Runtime", []),
        shell(
            "Observation", in: "Runtime",
            ["NetworkTransport", "ServerMetrics", hummingbird, hummingbirdCore, log, nioCore]),
        shell(
            "StoreEngine", in: "Runtime",
            [
                "MartletBytes", "MartletCore", "MailStore", "Records", "MessageFormat", "ServerMetrics", crypto, grdb,
                log,
            ]),
        shell(
            "NetworkTransport", in: "Runtime",
            ["MartletCore", "ServerMetrics", crypto, tls, x509, nioCore, nioPosix, nioTLS]),
        shell(
            "OutboundDelivery", in: "Runtime",
            [
                "MartletCore", "MailStore", "Records", "QueueEngine", "DeliveryPolicy", "DNSProtocol",
                "MessageFormat", "SMTPProtocol", "NetworkTransport", "ServerMetrics", tls, log, nioCore, nioPosix,
                nioTLS,
            ]),
        shell(
            "CertificateIssuance", in: "Runtime",
            [
                "ACMEProtocol", "MartletCore", "NetworkTransport", asn1, crypto, httpClient, nioCore, nioHTTP,
                nioPosix, nioTLS, tls, x509,
            ]),
        shell("MessageSpool", in: "Runtime", ["MailStore", "MessageFormat"]),
        shell("NameResolution", in: "Runtime", ["DNSProtocol", "CUnbound"]),
        shell(
            "Authentication", in: "Runtime/MailServers",
            [
                "MartletCore", "MailStore", "Records", "SASLMechanisms", "NetworkTransport", "ServerMetrics", "CArgon2",
                crypto, nioPosix,
            ]),
        shell(
            "SMTPServer", in: "Runtime/MailServers", folder: "SMTP",
            [
                "MartletBytes", "MartletCore", "MailStore", "Records", "DeliveryPolicy", "MessageFormat",
                "MessageSpool", "SMTPProtocol", "NetworkTransport", "Authentication", "ServerMetrics", log, nioCore,
            ]),
        shell(
            "IMAPServer", in: "Runtime/MailServers", folder: "IMAP",
            [
                "MartletBytes", "MartletCore", "MailStore", "MessageFormat", "MessageSpool", "IMAPProtocol",
                "NetworkTransport", "Authentication", log, nioCore,
            ]),
        shell(
            "POP3Server", in: "Runtime/MailServers", folder: "POP3",
            ["MartletCore", "MailStore", "POP3Protocol", "NetworkTransport", "Authentication", log, nioCore]),
        shell(
            "MailTransfer", in: "Runtime",
            [
                "MartletBytes", "MartletCore", "MailStore", "MessageFormat", "MessageSpool", "IMAPProtocol", crypto,
                tls,
                nioCore, nioPosix, nioTLS,
            ]),
        // Server
        shell(
            "MartletServer", in: "Server",
            [
                "MartletBytes", "MartletCore", "MailStore", "Records", "DeliveryPolicy", "MailTransfer",
                "MessageFormat", "StoreEngine", "NetworkTransport", "ACMEProtocol", "CertificateIssuance",
                "Authentication", "SMTPProtocol", "SMTPServer", "IMAPServer", "POP3Server", "DNSProtocol",
                "NameResolution", "OutboundDelivery", "QueueEngine", "ServerMetrics", "Observation", "Yams",
                crypto,
                log, nioCore, nioPosix, x509,
            ]),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "MartletServer", "MailStore", "MailTransfer", "MartletCore", "MessageFormat", nioPosix,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Server/martlet", exclude: ["README.md"], swiftSettings: settings),
        // Tests
        tests("MartletCore", ["MartletCore", "MartletBytes"]),
        tests("MartletServer", ["MartletServer", "MartletCore", "MailStore", "Records", "DNSProtocol", log]),
        tests("Records", ["MartletCore", "Records"]),
        tests("ACMEProtocol", ["ACMEProtocol", "MartletCore", crypto]),
        tests(
            "CertificateIssuance",
            [
                "CertificateIssuance", "ACMEProtocol", "MartletCore", "NetworkTransport", crypto, nioCore, nioPosix,
                nioTLS, tls, x509,
            ]),
        tests("SASLMechanisms", ["MartletCore", "SASLMechanisms", crypto]),
        tests("Authentication", ["MartletCore", "MailStore", "Records", "SASLMechanisms", "Authentication", crypto]),
        tests("IMAPProtocol", ["MartletCore", "IMAPProtocol"]),
        .target(
            name: "StoreConformance", dependencies: ["MartletCore", "MailStore", "Records"],
            path: "Tests/StoreConformance", swiftSettings: settings),
        tests("StoreEngine", ["StoreEngine", "StoreConformance", "MartletCore", "MailStore", "Records", log]),
        tests("POP3Protocol", ["MartletBytes", "MartletCore", "POP3Protocol"]),
        tests(
            "POP3Server",
            ["MartletCore", "MailStore", "Records", "NetworkTransport", "Authentication", "POP3Server", log, nioPosix]),
        tests("SMTPProtocol", ["MartletCore", "SMTPProtocol"]),
        tests("DNSProtocol", ["MartletCore", "DNSProtocol"]),
        tests("ServerMetrics", ["ServerMetrics"]),
        tests("Observation", ["Observation"]),
        tests("NameResolution", ["MartletCore", "DNSProtocol", "NameResolution"]),
        tests("NetworkTransport", ["MartletCore", "NetworkTransport", crypto, x509, nioCore, nioPosix]),
        tests(
            "OutboundDelivery",
            [
                "MartletCore", "MailStore", "SMTPProtocol", "NetworkTransport", "OutboundDelivery", crypto, tls, x509,
                nioCore, nioPosix,
            ]),
        tests("MessageFormat", ["MartletCore", "MessageFormat"]),
        tests(
            "IMAPServer",
            [
                "MartletCore", "MailStore", "Records", "MessageFormat", "NetworkTransport", "Authentication",
                "IMAPServer", log, nioPosix,
            ]),
        tests("MailTransfer", ["MartletCore", "MailStore", "MailTransfer", "MessageFormat"]),
        tests("DeliveryPolicy", ["MartletCore", "MailStore", "Records", "DeliveryPolicy"]),
        tests("QueueEngine", ["MartletCore", "MailStore", "Records", "QueueEngine"]),
        .testTarget(
            name: "SimulationTests", dependencies: ["MartletCore", "MailStore", "Records", "QueueEngine"],
            path: "Tests/SimulationTests", swiftSettings: settings),
    ]
)
