// swift-tools-version: 6.1
// Fuzz targets for the pure libraries. A package of its own, because everything in it is built with libFuzzer and the address
// sanitizer; the libraries are the project's own sources, by link. `make fuzz FUZZ=FuzzIMAPCommand TIME=60`.
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]

func pure(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Modules/\(name)", exclude: ["README.md"], swiftSettings: settings
    )
}

func fuzz(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies + ["FuzzSupport"], path: name, exclude: ["\(name).dict"],
        swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
}

let package = Package(
    name: "fuzz",
    targets: [
        .systemLibrary(name: "CIDN2", path: "Modules/CIDN2", pkgConfig: "libidn2"),
        .target(name: "CIconv", path: "Modules/CIconv"),
        pure("MartletBytes"),
        pure("MartletCore", ["MartletBytes", "CIDN2"]),
        pure("MessageFormat", ["MartletBytes", "MartletCore", "CIconv"]),
        pure("SMTPProtocol", ["MartletBytes", "MartletCore"]),
        pure("IMAPProtocol", ["MartletBytes", "MartletCore"]),
        pure("POP3Protocol", ["MartletBytes", "MartletCore"]),
        pure("DNSProtocol", ["MartletBytes", "MartletCore"]),
        // By file: with a stand-in for what needs BoringSSL.
        .target(
            name: "SASLMechanisms", dependencies: ["MartletBytes", "MartletCore"], path: "Modules/SASLMechanisms",
            swiftSettings: settings),
        pure("Records", ["MartletBytes", "MartletCore"]),
        pure("MailStore", ["MartletBytes", "MartletCore", "Records", "MessageFormat"]),
        // What the targets share: modes, cutting, a strict reader of IMAP's values, libFuzzer's entry.
        .target(name: "FuzzSupport", path: "FuzzSupport", swiftSettings: settings),
        fuzz("FuzzSMTPSession", ["SMTPProtocol", "MartletCore"]),
        fuzz("FuzzSMTPClient", ["SMTPProtocol", "MartletCore"]),
        fuzz("FuzzMessage", ["MessageFormat", "IMAPProtocol"]),
        fuzz("FuzzDeliveryStatus", ["MessageFormat", "MartletCore"]),
        fuzz("FuzzDowngrade", ["MessageFormat"]),
        fuzz("FuzzMbox", ["MessageFormat", "MartletCore"]),
        fuzz("FuzzIMAPResponse", ["IMAPProtocol"]),
        fuzz("FuzzIMAPCommand", ["IMAPProtocol", "MartletCore"]),
        fuzz("FuzzIMAPSession", ["IMAPProtocol", "MartletCore"]),
        fuzz("FuzzPOP3Session", ["POP3Protocol", "MartletCore"]),
        fuzz("FuzzHeaderFields", ["MessageFormat", "MartletCore"]),
        fuzz("FuzzAddress", ["MartletBytes", "MartletCore"]),
        fuzz("FuzzSASL", ["SASLMechanisms", "MartletBytes", "MartletCore"]),
        fuzz("FuzzZoneFile", ["DNSProtocol"]),
        fuzz("FuzzDNSRecordData", ["DNSProtocol", "MartletCore"]),
        fuzz("FuzzRecords", ["Records", "MailStore", "MartletCore"]),
    ]
)
