import ArgumentParser
import MartletServer
@main struct Martlet: ParsableCommand { func run() {} }
