# Recomputes with R what surveys.tsv and ties.tsv lead to, and compares; --write writes the expectations.
#
#     Rscript judge.R [--write] DIRECTORY
#
# surveys.tsv: samples of hosts, each with its services and how many of them are hits, of a population of so many hosts.
# svyciprop(method="beta") of package survey is Korn and Graubard's interval, with the number of hosts less one as its degrees of
# freedom. The last columns have the effective hosts, by their definition, and the interval that follows from those.
#
# ties.tsv: pairs of samples with equal values, for ks.test(exact=TRUE), and durations, for survfit.
suppressPackageStartupMessages({library(survey); library(survival)})
args <- commandArgs(trailingOnly = TRUE)
dir <- args[length(args)]
read <- function(name) read.delim(file.path(dir, name), stringsAsFactors = FALSE)

surveys <- read("surveys.tsv")
expected <- do.call(rbind, lapply(unique(surveys$set), function(set) {
  hosts <- surveys[surveys$set == set, ]
  rows <- data.frame(host = rep(seq_len(nrow(hosts)), hosts$services), population = hosts$population[1],
    hit = unlist(mapply(function(x, k) rep(c(1, 0), c(x, k - x)), hosts$hits, hosts$services, SIMPLIFY = FALSE)))
  design <- svydesign(id = ~host, fpc = ~population, data = rows)
  ci <- svyciprop(~hit, design, method = "beta")
  p <- as.vector(ci)
  v <- as.vector(attr(ci, "var"))
  e <- hosts$hits - p * hosts$services
  effective <- sum(e^2)^2 / sum(e^4)
  n <- p * (1 - p) / v * (qt(0.025, nrow(rows) - 1) / qt(0.025, effective - 1))^2
  data.frame(set = set, share = p, variance = v, lo = attr(ci, "ci")[[1]], hi = attr(ci, "ci")[[2]], effective = effective,
    effective_lo = qbeta(0.025, n * p, n * (1 - p) + 1), effective_hi = qbeta(0.975, n * p + 1, n * (1 - p)))
}))

ties <- read("ties.tsv")
numbers <- function(s) as.numeric(strsplit(s, ",")[[1]])
tied <- do.call(rbind, lapply(seq_len(nrow(ties)), function(i) {
  r <- ks.test(numbers(ties$x[i]), numbers(ties$y[i]), exact = TRUE)
  data.frame(name = ties$name[i], statistic = as.vector(r$statistic), p = r$p.value)
}))

differ <- 0
check <- function(name, got) {
  path <- file.path(dir, name)
  if (args[1] == "--write") {
    write.table(format(got, digits = 15, trim = TRUE), path, sep = "\t", quote = FALSE, row.names = FALSE)
  } else if (!isTRUE(all.equal(read(name), got, tolerance = 1e-9))) {
    cat(name, "differs:", all.equal(read(name), got, tolerance = 1e-9), "\n")
    differ <<- differ + 1
  }
}
check("surveys_expected.tsv", expected)
check("ties_expected.tsv", tied)
cat(nrow(expected), "surveys and", nrow(tied), "tied samples recomputed with R,", differ, "files differ\n")
quit(status = differ)
