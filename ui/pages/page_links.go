package pages

// pageLinks are the links to the pages of a list.
type pageLinks struct {
	Pages []pageLink
	// Next is the URL of the next page, empty on the last one.
	Next string
}

type pageLink struct {
	Number  int
	URL     string
	Current bool
}

// newPageLinks returns the links of a list with a number of rows, and the range of the rows of a page. A
// page that does not exist is replaced by the nearest one. urlOf returns the URL of a page.
func newPageLinks(rows, size, page int, urlOf func(number int) string) (links pageLinks, first, end int) {
	last := max((rows+size-1)/size, 1)
	page = min(max(page, 1), last)
	first, end = min((page-1)*size, rows), min(page*size, rows)
	if last == 1 {
		return links, first, end
	}
	for number := 1; number <= last; number++ {
		if number == 1 || number == last || number >= page-2 && number <= page+2 {
			links.Pages = append(links.Pages, pageLink{Number: number, URL: urlOf(number), Current: number == page})
		}
	}
	if page < last {
		links.Next = urlOf(page + 1)
	}
	return links, first, end
}
