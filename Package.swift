// swift-tools-version:6.2
import PackageDescription

let testing: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]
let library = testing + [.strictMemorySafety()]

// Targets stand in layer order: each imports only targets above it in this list.
let package = Package(
    name: "regionsync",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .target(
            name: "RESP", dependencies: [.product(name: "NIOCore", package: "swift-nio")], swiftSettings: library),
        .target(
            name: "Observability", dependencies: [.product(name: "Logging", package: "swift-log")],
            swiftSettings: library),
        .target(
            name: "Journal", dependencies: ["RESP", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: library),
        .target(
            name: "Mirror",
            dependencies: [
                "Journal", "Observability", .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ], swiftSettings: library),
        .testTarget(name: "MirrorTests", dependencies: ["Journal", "Mirror"], swiftSettings: testing),
    ])
