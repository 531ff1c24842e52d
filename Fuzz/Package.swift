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
        name: name, dependencies: dependencies, path: name, exclude: ["\(name).dict"],
        swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
}

let package = Package(
    name: "fuzz",
    targets: [
        .systemLibrary(name: "CIDN2", path: "Modules/CIDN2", pkgConfig: "libidn2"),
        pure("MartletBytes"),
        pure("MartletCore", ["MartletBytes", "CIDN2"]),
        pure("IMAPProtocol", ["MartletBytes", "MartletCore"]),
        fuzz("FuzzIMAPCommand", ["IMAPProtocol", "MartletCore"]),
    ]
)
