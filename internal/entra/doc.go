// Package entra answers who holds an app role of an application in Microsoft Entra ID: the people to whom its service
// principal assigns the role, themselves or as direct members of an assigned group. A group within a group is left out,
// because Entra ID does not pass a role on to it either.
//
// It asks Microsoft Graph, remembers an answer for half a minute and never longer, and gives no answer at all where one
// could not be had: whoever asks takes that for a no.
package entra
