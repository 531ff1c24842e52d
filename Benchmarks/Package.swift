// swift-tools-version: 6.1
// The load generator and the parser's measure of `make bench`: small programs without outside dependencies, so that they build in
// seconds. The libraries that are measured are the project's own sources, by link.
import PackageDescription

let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]

func pure(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Modules/\(name)", exclude: ["README.md"],
        swiftSettings: settings + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")])
}

let package = Package(
    name: "martlet-benchmarks",
    targets: [
        .executableTarget(name: "martlet-load", swiftSettings: settings),
        .executableTarget(name: "martlet-parse-bench", dependencies: ["MessageFormat"], swiftSettings: settings),
        .systemLibrary(name: "CIDN2", path: "Modules/CIDN2", pkgConfig: "libidn2"),
        .target(name: "CIconv", path: "Modules/CIconv"),
        pure("MartletBytes"),
        pure("MartletCore", ["MartletBytes", "CIDN2"]),
        pure("MessageFormat", ["MartletBytes", "MartletCore", "CIconv"]),
    ]
)
