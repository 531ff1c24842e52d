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

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let tls: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
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
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
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
        // Mail flow
        pure("Records", in: "MailFlow", ["MartletBytes", "MartletCore"]),
        pure("MailStore", in: "MailFlow", ["MartletBytes", "MartletCore", "Records", "MessageFormat"]),
        pure("DeliveryPolicy", in: "MailFlow", ["MartletBytes", "MartletCore", "MailStore", "Records"]),
        // Runtime
        shell(
            "StoreEngine", in: "Runtime",
            ["MartletBytes", "MartletCore", "MailStore", "Records", "MessageFormat", crypto, grdb, log]),
        shell(
            "NetworkTransport", in: "Runtime",
            ["MartletBytes", "MartletCore", crypto, tls, log, .product(name: "NIOTLS", package: "swift-nio")] + nio),
        shell(
            "Authentication", in: "Runtime/MailServers",
            [
                "MartletBytes", "MartletCore", "MailStore", "Records", "SASLMechanisms", "CArgon2", crypto,
                cryptoExtras, log,
            ] + nio),
        shell(
            "SMTPServer", in: "Runtime/MailServers", folder: "SMTP",
            [
                "MartletBytes", "MartletCore", "MailStore", "Records", "DeliveryPolicy", "MessageFormat",
                "SMTPProtocol", "SASLMechanisms",
                "NetworkTransport", "Authentication", log,
            ] + nio),
        shell(
            "IMAPServer", in: "Runtime/MailServers", folder: "IMAP",
            [
                "MartletBytes", "MartletCore", "MailStore", "Records", "MessageFormat", "IMAPProtocol",
                "SASLMechanisms", "NetworkTransport",
                "Authentication", log,
            ] + nio),
        shell(
            "POP3Server", in: "Runtime/MailServers", folder: "POP3",
            [
                "MartletBytes", "MartletCore", "MailStore", "Records", "MessageFormat", "POP3Protocol",
                "SASLMechanisms", "NetworkTransport",
                "Authentication", log,
            ] + nio),
        // Server
        shell(
            "MartletServer", in: "Server",
            [
                "MartletBytes", "MartletCore", "MailStore", "Records", "DeliveryPolicy", "MessageFormat", "StoreEngine",
                "NetworkTransport", "Authentication", "SMTPProtocol", "SMTPServer", "IMAPServer", "POP3Server",
                "DNSProtocol", "SASLMechanisms", "Yams", crypto, cryptoExtras, tls, log,
                .product(name: "X509", package: "swift-certificates"),
            ] + nio),
        .executableTarget(
            name: "martlet",
            dependencies: ["MartletServer", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Sources/Server/martlet", exclude: ["README.md"], swiftSettings: settings),
        // Tests
        tests("MartletCore", ["MartletCore", "MartletBytes"]),
        tests("MartletServer", ["MartletServer", "MartletCore", "MailStore", "Records"]),
        tests("Records", ["MartletCore", "Records"]),
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
            ["MartletCore", "MailStore", "Records", "NetworkTransport", "Authentication", "POP3Server", log] + nio),
        tests("SMTPProtocol", ["MartletCore", "SMTPProtocol"]),
        tests("DNSProtocol", ["MartletCore", "DNSProtocol"]),
        tests("NetworkTransport", ["NetworkTransport", crypto]),
        tests("MessageFormat", ["MartletCore", "MessageFormat"]),
        tests(
            "IMAPServer",
            [
                "MartletCore", "MailStore", "Records", "MessageFormat", "NetworkTransport", "Authentication",
                "IMAPServer", log,
            ] + nio),
        tests("DeliveryPolicy", ["MartletCore", "MailStore", "Records", "DeliveryPolicy"]),
    ]
)
