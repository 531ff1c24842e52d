// to be written
import GRDB
