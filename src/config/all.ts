/** The config program with every dialect, and with what changes files of a running supervisor. */
import "./main.ts";
