"""German words, by the English ones. Gaps ({}) are filled in the English order; {0}, {1} where German wants another."""

from __future__ import annotations

GERMAN: dict[str, str] = {
    # panel, menus
    "Reconstruct from Photo": "Aus Foto rekonstruieren",
    "Reconstruct from Photos": "Aus Fotos rekonstruieren",
    "Reconstruct Person": "Person rekonstruieren",
    "Person from Photo (PHORHUM)": "Person aus Foto (PHORHUM)",
    "Find People": "Personen suchen",
    "People found: {}": "Gefundene Personen: {}",
    "Choose Person": "Person wählen",
    "Make Again": "Noch einmal",
    "Reuse Settings": "Übernehmen",
    "Cancel": "Abbrechen",
    "Cancelled": "Abgebrochen",
    "(ESC cancels)": "(ESC bricht ab)",
    "{} left": "noch {}",
    "{} triangles in {}": "{} Dreiecke in {}",
    "{} of {} people made in {}": "{} von {} Personen in {}",
    "about {}": "etwa {}",
    "about {}, {} MB": "etwa {}, {} MB",
    "not measured here yet": "hier noch nicht gemessen",
    "Options": "Optionen",
    "Presets": "Voreinstellungen",
    "Add Preset": "Voreinstellung hinzufügen",
    # options
    "Photo": "Foto",
    "Photo of a person": "Foto einer Person",
    "Photo of a person; left empty, the button asks for one": "Foto einer Person; leer fragt der Knopf danach",
    "Quality": "Qualität",
    "How fine the surface and its colours are": "Wie fein Oberfläche und Farben sind",
    "Draft": "Entwurf",
    "128 cells: to see whether the photo works": "128 Zellen: um zu sehen, ob das Foto taugt",
    "Standard": "Standard",
    "256 cells: all that the networks know": "256 Zellen: alles, was die Netze wissen",
    "High": "Hoch",
    "384 cells: finer photo detail on the visible side": "384 Zellen: feinere Fotodetails auf der sichtbaren Seite",
    ",": ".",  # between thousands
    "Other": "Andere",
    "The resolution under Options": "Die Auflösung unter Optionen",
    "Resolution": "Auflösung",
    "Cells along the longest side of the person's box: more shows finer detail and takes longer": (
        "Zellen entlang der längsten Seite des Rahmens um die Person: mehr zeigt feinere Details und dauert länger"
    ),
    "Another resolution than the stored one; 0 keeps it": "Eine andere Auflösung als die gespeicherte; 0 behält sie",
    "Height": "Größe",
    "Height of the person, which sets the scale of the result": (
        "Körpergröße der Person; sie bestimmt den Maßstab des Ergebnisses"
    ),
    "Photo Detail": "Fotodetails",
    "Give the visible side the fine colour of the photo, the hidden side the colours that are seen": (
        "Der sichtbaren Seite feine Farben des Fotos geben, der verdeckten die sichtbaren"
    ),
    "Tilt Known": "Neigung bekannt",
    "Say how far the camera looked down; off: the photo's own record or the person's stance tells": (
        "Angeben, wie weit die Kamera nach unten blickte; aus: wie es das Foto selbst oder die Haltung der Person sagt"
    ),
    "Camera Tilt": "Kameraneigung",
    "How far the camera looked down, where the tilt is known; 0 is level, negative is up": (
        "Wie weit die Kamera nach unten blickte, wenn es bekannt ist; 0 ist waagerecht, negativ nach oben"
    ),
    "Back Photo": "Rückenfoto",
    "Second photo of the same person, from behind, which gives the back its colours; may be empty": (
        "Zweites Foto derselben Person, von hinten; gibt dem Rücken seine Farben; darf leer sein"
    ),
    "Back Person": "Person darin",
    "Which of several people in the back photo: 0 is the largest, 1 the next, and so on": (
        "Welche von mehreren Personen im Rückenfoto: 0 ist die größte, 1 die nächste und so weiter"
    ),
    "Person": "Person",
    "Which of several people in the photo: 0 is the largest, 1 the next, and so on": (
        "Welche von mehreren Personen im Foto: 0 ist die größte, 1 die nächste und so weiter"
    ),
    "Number of the person, 0 is the largest": "Nummer der Person, 0 ist die größte",
    "Box": "Rahmen",
    "Left, top, right, bottom of the person in pixels of the upright photo; all 0: search": (
        "Links, oben, rechts, unten um die Person in Pixeln des aufrechten Fotos; alle 0: suchen"
    ),
    "Whole Frame": "Ganzes Bild",
    "Take the whole photo as the person's box instead of searching for a person": (
        "Das ganze Foto als Rahmen nehmen, statt nach einer Person zu suchen"
    ),
    "Draw Box": "Rahmen ziehen",
    "Drag a box around the person on the photo, which the 3D view shows meanwhile": (
        "Auf dem Foto einen Rahmen um die Person ziehen; die 3D-Ansicht zeigt es so lange"
    ),
    "Drag a box around the person. Enter or a click takes it, Esc cancels": (
        "Einen Rahmen um die Person ziehen. Eingabe oder ein Klick nimmt ihn, Esc bricht ab"
    ),
    "Mask": "Maske",
    "Picture of the photo's size, white where the person is, instead of searching; may be empty": (
        "Bild von der Größe des Fotos, weiß, wo die Person ist; ersetzt die Suche; darf leer sein"
    ),
    "Paint Mask": "Maske malen",
    "Correct by brush what of the photo is the person: white is, black is not. X swaps the two colours": (
        "Mit dem Pinsel richtigstellen, was im Foto die Person ist: Weiß ist sie, Schwarz nicht. X tauscht die Farben"
    ),
    "The mask is ready to be painted": "Die Maske kann bemalt werden",
    "There is no mask at {}.": "Es gibt keine Maske unter {}.",
    "Choose another one, or leave it empty.": "Eine andere wählen oder das Feld leeren.",
    "The mask {} has {} x {} pixels, the photo {} x {}.": "Die Maske {} hat {} x {} Pixel, das Foto {} x {}.",
    "Both must have the same size.": "Beide müssen gleich groß sein.",
    "The mask {} marks nobody.": "Die Maske {} zeigt niemanden.",
    "Paint the person white.": "Die Person weiß malen.",
    "The box is drawn in a 3D view": "Der Rahmen wird in einer 3D-Ansicht gezogen",
    "Blender cannot show this photo.": "Blender kann dieses Foto nicht zeigen.",
    # tooltips
    "Make a coloured 3D person from one photo": "Aus einem Foto eine farbige 3D-Person machen",
    "Make this person again from the request stored on it. The old one is hidden, not deleted": (
        "Diese Person mit ihrem gespeicherten Auftrag noch einmal machen. Die alte wird versteckt, nicht gelöscht"
    ),
    "Put the photo and the options that made this person back into the panel, to change some of them": (
        "Foto und Optionen dieser Person wieder in das Feld holen, um einige zu ändern"
    ),
    "Make a coloured 3D person from each photo and stand them side by side": (
        "Aus jedem Foto eine farbige 3D-Person machen und sie nebeneinander stellen"
    ),
    "Choose one photo or several and make a coloured 3D person from each": (
        "Ein Foto oder mehrere wählen und aus jedem eine farbige 3D-Person machen"
    ),
    "Search the photo for people and show them, to choose one": "Personen im Foto suchen und zur Auswahl zeigen",
    "Take this person of the photo": "Diese Person des Fotos nehmen",
    "Stop the running job; the scene stays as it is": "Den laufenden Auftrag anhalten; die Szene bleibt, wie sie ist",
    "Keep the panel's options under a name, or remove that name": (
        "Die Optionen unter einem Namen behalten oder diesen Namen entfernen"
    ),
    # why a button is grey
    "Choose a photo first": "Erst ein Foto wählen",
    "Select a person that was reconstructed from a photo": "Eine aus einem Foto rekonstruierte Person auswählen",
    "This needs a scene": "Dafür braucht es eine Szene",
    "The scene belongs to another file": "Die Szene gehört zu einer anderen Datei",
    "The scene belongs to another file; a person can only be made in a scene of this one": (
        "Die Szene gehört zu einer anderen Datei; eine Person kann nur in einer Szene dieser Datei entstehen"
    ),
    "Nothing is running": "Es läuft nichts",
    "A job is running; cancel it first": "Ein Auftrag läuft; erst abbrechen",
    "The engine is not running and holds no memory": "Die Rechenmaschine läuft nicht und belegt keinen Speicher",
    "The add-on is not installed as an extension": "Das Add-on ist nicht als Erweiterung installiert",
    "Blender was started in offline mode": "Blender wurde im Offline-Modus gestartet",
    "Allow online access in Preferences > System > Network first": (
        "Erst unter Einstellungen > System > Netzwerk den Onlinezugriff erlauben"
    ),
    # preferences
    "Device": "Gerät",
    "What computes the reconstruction; Find Devices lists what this machine has": (
        "Was die Rekonstruktion berechnet; Geräte suchen zeigt, was dieser Rechner hat"
    ),
    "The processor; works everywhere": "Der Prozessor; geht überall",
    "An NVIDIA graphics card": "Eine Grafikkarte von NVIDIA",
    "The graphics of an Apple processor": "Die Grafik eines Apple-Prozessors",
    "Find Devices": "Geräte suchen",
    "Ask the engine which devices of this machine it can compute on; they then stand under Device": (
        "Die Rechenmaschine fragen, auf welchen Geräten dieses Rechners sie rechnen kann; sie stehen dann unter Gerät"
    ),
    "Devices found: {}": "Gefundene Geräte: {}",
    "Threads": "Threads",
    "Processor threads to use; 0 takes all there are": "Genutzte Prozessor-Threads; 0 nimmt alle vorhandenen",
    "Detector": "Detektor",
    "Weights of another person detector (ultralytics segmentation model); empty uses the built-in one": (
        "Gewichte eines anderen Personendetektors (ultralytics-Segmentierung); leer nimmt den eingebauten"
    ),
    "Download Detector (AGPL-3.0)": "Detektor laden (AGPL-3.0)",
    "Download the official person detector of Ultralytics (licence AGPL-3.0) and use it": (
        "Den offiziellen Personendetektor von Ultralytics (Lizenz AGPL-3.0) laden und benutzen"
    ),
    "Official detector {}: finds people better than the built-in one": (
        "Offizieller Detektor {}: findet Personen besser als der eingebaute"
    ),
    "Ultralytics, licence AGPL-3.0, {} MB from github.com": "Ultralytics, Lizenz AGPL-3.0, {} MB von github.com",
    "{} was downloaded and checked": "{} wurde geladen und geprüft",
    "The engine runs and keeps its networks loaded": "Die Rechenmaschine läuft und hält ihre Netze geladen",
    "The engine is not running": "Die Rechenmaschine läuft nicht",
    "Free Memory": "Speicher freigeben",
    "End the engine's process, which keeps the networks loaded; the next reconstruction starts it anew": (
        "Den Prozess beenden, der die Netze geladen hält; die nächste Rekonstruktion startet ihn neu"
    ),
    "Code GPL-3.0-or-later, weights CC0-1.0; neither asks anything of what you make": (
        "Code GPL-3.0-or-later, Gewichte CC0-1.0; beide verlangen nichts von dem, was damit entsteht"
    ),
    "Own files: {}": "Eigene Dateien: {}",
    "Open Folder": "Ordner öffnen",
    "Clear Cache": "Cache leeren",
    "Forget the measured times, and delete painted masks that the open file does not use": (
        "Die gemessenen Zeiten vergessen und gemalte Masken löschen, die die offene Datei nicht braucht"
    ),
    "Masks deleted: {} ({} MB)": "Gelöschte Masken: {} ({} MB)",
    "Open Log": "Protokoll öffnen",
    "Copy Log": "Protokoll kopieren",
    "Copy the end of the engine's log, with private paths masked": (
        "Das Ende des Protokolls kopieren; private Pfade sind verdeckt"
    ),
    "There is no log yet": "Es gibt noch kein Protokoll",
    "The log was copied": "Das Protokoll wurde kopiert",
    "Copy Diagnosis": "Diagnose kopieren",
    "Copy versions, settings, last error and last report for a bug report, with private paths masked": (
        "Versionen, Einstellungen, letzten Fehler und letzten Bericht für eine Fehlermeldung kopieren; private Pfade "
        "sind verdeckt"
    ),
    "The diagnosis was copied": "Die Diagnose wurde kopiert",
    # stages
    "Starting engine": "Rechenmaschine startet",
    "Reading photo": "Foto wird gelesen",
    "Finding people": "Personen werden gesucht",
    "Finding person": "Person wird gesucht",
    "Encoding": "Foto wird ausgewertet",
    "Finding surface": "Oberfläche wird gesucht",
    "Colouring": "Farben werden bestimmt",
    "Fitting light": "Licht wird angepasst",
    "Finishing": "Abschluss",
    "Cancelling": "Wird abgebrochen",
    "Downloading detector": "Detektor wird geladen",
    # remarks
    "Blender cannot show this photo behind the camera.": "Blender kann dieses Foto nicht hinter der Kamera zeigen.",
    "Light rigs of earlier reconstructions were hidden.": "Lichter früherer Rekonstruktionen wurden versteckt.",
    'The scene keeps its own world; choose "{}" for the ambient light of the photo.': (
        "Die Szene behält ihre Welt; für das Umgebungslicht des Fotos „{}“ wählen."
    ),
    "The person reaches the {} edge of the photo; what lies beyond it is guessed.": (
        "Die Person ist vom Rand des Fotos angeschnitten; was dahinter liegt, ist geraten."
    ),
    "The person stands differently in the back photo: {} of the outlines agree, so some of its colours may be out of "
    "place.": (
        "Die Person steht im Rückenfoto anders: {} der Umrisse stimmen überein; manche seiner Farben liegen vielleicht "
        "falsch."
    ),
    # errors: photo and person
    "The person was not found in the back photo {}.": "Die Person wurde im Rückenfoto {} nicht gefunden.",
    "Use another one, or cut the person out and save it as PNG with transparency.": (
        "Ein anderes nehmen oder die Person freistellen und als PNG mit Transparenz speichern."
    ),
    "A back photo goes with one photo only.": "Ein Rückenfoto gehört zu nur einem Foto.",
    "Give one photo.": "Ein Foto angeben.",
    "No photo was given.": "Es wurde kein Foto angegeben.",
    "Set filepath to an image file.": "filepath auf eine Bilddatei setzen.",
    "Set directory and files to image files.": "directory und files auf Bilddateien setzen.",
    "No person could be made from any of these photos.": "Aus keinem dieser Fotos wurde eine Person.",
    "Choose a photo of a person.": "Ein Foto einer Person wählen.",
    "There is no photo at {}.": "Es gibt kein Foto unter {}.",
    "There is no photo {}.": "Es gibt kein Foto {}.",
    "Choose an image file.": "Eine Bilddatei wählen.",
    "There is no photo in the folder {}.": "Im Ordner {} ist kein Foto.",
    "Photos end in {}.": "Fotos enden auf {}.",
    "{} is a folder, not a photo.": "{} ist ein Ordner, kein Foto.",
    "Choose a JPEG, PNG, WebP or TIFF file.": "Eine Datei vom Typ JPEG, PNG, WebP oder TIFF wählen.",
    "{} is not a JPEG, PNG, WebP or TIFF photo, or it is damaged.": (
        "{} ist kein Foto vom Typ JPEG, PNG, WebP oder TIFF, oder es ist beschädigt."
    ),
    "Save it as JPEG or PNG and try again.": "Als JPEG oder PNG speichern und noch einmal versuchen.",
    "The photo {} is damaged or incomplete.": "Das Foto {} ist beschädigt oder unvollständig.",
    "Use another copy of it.": "Eine andere Kopie davon nehmen.",
    "The photo {} may not be read.": "Das Foto {} darf nicht gelesen werden.",
    "Check the file's permissions.": "Die Rechte der Datei prüfen.",
    "The photo {} has more than 100 megapixels.": "Das Foto {} hat mehr als 100 Megapixel.",
    "The photo {} has {} megapixels; at most 100 are allowed.": (
        "Das Foto {} hat {} Megapixel; höchstens 100 sind erlaubt."
    ),
    "Use a smaller copy.": "Eine kleinere Kopie nehmen.",
    "The photo {} is {} x {} pixels; each side needs at least {}.": (
        "Das Foto {} hat {} x {} Pixel; jede Seite braucht mindestens {}."
    ),
    "Use a larger copy.": "Eine größere Kopie nehmen.",
    "No person was found in the photo.": "Im Foto wurde keine Person gefunden.",
    "Give the person's box, or take the whole frame.": "Einen Rahmen um die Person angeben oder das ganze Bild nehmen.",
    "There is no person number {}; the largest has number 0.": (
        "Eine Person Nummer {} gibt es nicht; die größte hat die Nummer 0."
    ),
    "There is no person number {}: {} found, and the largest has number 0.": (
        "Eine Person Nummer {0} wurde nicht gefunden; die größte hat die Nummer 0."
    ),
    "The box must be left, top, right, bottom in pixels, with right > left and bottom > top.": (
        "Der Rahmen ist links, oben, rechts, unten in Pixeln, mit rechts > links und unten > oben."
    ),
    "The box lies outside the photo; {}.": "Der Rahmen liegt außerhalb des Fotos.",
    "The box is too small: {} x {} pixels of it lie in the photo, and {} x {} are needed; {}.": (
        "Der Rahmen ist zu klein: {} x {} Pixel davon liegen im Foto, und {} x {} sind nötig."
    ),
    "No body surface was found around this person.": "Um diese Person wurde keine Oberfläche gefunden.",
    "Try another photo, or a box that holds the whole person.": (
        "Ein anderes Foto nehmen oder einen Rahmen um die ganze Person."
    ),
    # errors: engine
    "Another job is running. Wait for it or cancel it first.": "Ein Auftrag läuft schon. Abwarten oder abbrechen.",
    "The engine is already at work.": "Die Rechenmaschine arbeitet schon.",
    "Wait for it or cancel it first.": "Abwarten oder erst abbrechen.",
    "The reconstruction process could not be started with {}: {}.": (
        "Der Prozess der Rekonstruktion konnte mit {} nicht gestartet werden: {}."
    ),
    "The reconstruction process stopped unexpectedly (exit status {}). Try again, with a lower resolution if it "
    "happens again; it may have run out of memory. Log: {}": (
        "Der Prozess der Rekonstruktion endete unerwartet (Status {}). Noch einmal versuchen, wenn es wieder "
        "geschieht, mit niedrigerer Auflösung; vielleicht reichte der Speicher nicht. Protokoll: {}"
    ),
    "Unexpected error ({}). Please report it together with the log file {}": (
        "Unerwarteter Fehler ({}). Bitte zusammen mit der Protokolldatei {} melden"
    ),
    "The Python that runs the reconstruction ({}) lacks the package '{}'.": (
        "Dem Python der Rekonstruktion ({}) fehlt das Paket '{}'."
    ),
    "Install the complete extension, or choose a Python that has the package.": (
        "Die vollständige Erweiterung installieren oder ein Python mit diesem Paket wählen."
    ),
    "Not enough memory. Try a lower resolution.": "Der Speicher reicht nicht. Eine niedrigere Auflösung versuchen.",
    "There is not enough memory for this resolution.": "Für diese Auflösung reicht der Speicher nicht.",
    "Resolution {} needs about {} MB of memory, but only {} MB are free.": (
        "Die Auflösung {} braucht etwa {} MB Speicher, frei sind nur {} MB."
    ),
    "The square around the person has {} x {} pixels and needs about {} MB of memory, but only {} MB are free.": (
        "Das Quadrat um die Person hat {} x {} Pixel und braucht etwa {} MB Speicher, frei sind nur {} MB."
    ),
    "Use a smaller copy of the photo or cut the person out.": (
        "Eine kleinere Kopie des Fotos nehmen oder die Person ausschneiden."
    ),
    "Choose a lower resolution or close other programs.": (
        "Eine niedrigere Auflösung wählen oder andere Programme schließen."
    ),
    "Choose a lower resolution.": "Eine niedrigere Auflösung wählen.",
    "The resolution must lie between {} and {}.": "Die Auflösung muss zwischen {} und {} liegen.",
    "The height must lie between {} and {} metres.": "Die Größe muss zwischen {} und {} Metern liegen.",
    "The device '{}' can't be used here.": "Das Gerät '{}' ist hier nicht nutzbar.",
    "Choose the device 'cpu'.": "Das Gerät 'cpu' wählen.",
    "The network weights are missing: {} was not found.": "Die Netzgewichte fehlen: {} wurde nicht gefunden.",
    "The network weights in {} are damaged.": "Die Netzgewichte in {} sind beschädigt.",
    "The network weights in {} are damaged: their checksum is wrong.": (
        "Die Netzgewichte in {} sind beschädigt: ihre Prüfsumme stimmt nicht."
    ),
    "The network weights in {} are damaged: not all are numbers.": (
        "Die Netzgewichte in {} sind beschädigt: nicht alle sind Zahlen."
    ),
    "The network weights in {} do not fit this version.": "Die Netzgewichte in {} passen nicht zu dieser Version.",
    "{} is not a PHORHUM weights file of this version.": "{} ist keine PHORHUM-Gewichtsdatei dieser Version.",
    "Reinstall the extension, or choose another weights file.": (
        "Die Erweiterung neu installieren oder eine andere Gewichtsdatei wählen."
    ),
    "There is no person detector at {}.": "Es gibt keinen Personendetektor unter {}.",
    "{} is not a detector file (.safetensors or .pt).": "{} ist keine Detektordatei (.safetensors oder .pt).",
    "The person detector {} is damaged or of another kind.": (
        "Der Personendetektor {} ist beschädigt oder von anderer Art."
    ),
    "The detector file {} is damaged or not a YOLO checkpoint.": (
        "Die Detektordatei {} ist beschädigt oder keine YOLO-Datei."
    ),
    "The detector {} finds boxes but no masks.": "Der Detektor {} findet Rahmen, aber keine Masken.",
    "Choose a YOLO file that ends in -seg.pt.": "Eine YOLO-Datei wählen, die auf -seg.pt endet.",
    "Install the extension again, or choose another detector file.": (
        "Die Erweiterung neu installieren oder eine andere Detektordatei wählen."
    ),
    # errors: download
    "The download of {} failed: {}.": "{} konnte nicht geladen werden: {}.",
    "The download failed: {}": "Das Laden ist fehlgeschlagen: {}",
    "Check the connection and try again.": "Die Verbindung prüfen und noch einmal versuchen.",
    "What was downloaded is not the expected {}; it was thrown away.": (
        "Was geladen wurde, ist nicht das erwartete {}; es wurde verworfen."
    ),
    "The download was stopped: {} is not a trusted https address.": (
        "Das Laden wurde angehalten: {} ist keine vertraute https-Adresse."
    ),
    # errors: files
    "Can't delete {}: {}.": "{} kann nicht gelöscht werden: {}.",
    "Can't read {}: {}.": "{} kann nicht gelesen werden: {}.",
    "{} is not a result file, or it is damaged.": "{} ist keine Ergebnisdatei, oder sie ist beschädigt.",
    "{} is of version {}, not {}.": "{} hat die Version {}, nicht {}.",
    "The folder {} does not exist.": "Den Ordner {} gibt es nicht.",
    "Make it first or choose another.": "Erst anlegen oder einen anderen wählen.",
    "Can't write {}: it is a folder.": "{} kann nicht geschrieben werden: es ist ein Ordner.",
    "Give the name of a file.": "Den Namen einer Datei angeben.",
    "Can't write {}: {}.": "{} kann nicht geschrieben werden: {}.",
    "Choose another place for the file.": "Einen anderen Ort für die Datei wählen.",
    "Can't write {}: its name must end in one of {}.": (
        "{} kann nicht geschrieben werden: der Name muss auf eines von {} enden."
    ),
    "Can't write {}: the name of a report must end in .json.": (
        "{} kann nicht geschrieben werden: der Name eines Berichts muss auf .json enden."
    ),
    # what can be done with a person
    "Result": "Ergebnis",
    "Show": "Zeigen",
    "Look": "Aussehen",
    "What of the person's colours is shown": "Was von den Farben der Person gezeigt wird",
    "Show the person in the albedo under the scene's light, in the photo's own light, or with its texture": (
        "Die Person mit ihrer Albedo im Licht der Szene zeigen, im Licht des Fotos, oder mit ihrer Textur"
    ),
    "Albedo": "Albedo",
    "The person's own colour, lit by the scene": "Die eigene Farbe der Person, von der Szene beleuchtet",
    "Shaded": "Schattiert",
    "The colour with the photo's light in it; the scene's light has no effect": (
        "Die Farbe mit dem Licht des Fotos darin; das Licht der Szene wirkt nicht"
    ),
    "Texture": "Textur",
    "The baked texture, lit by the scene": "Die gebackene Textur, von der Szene beleuchtet",
    "Light Rig": "Lichter",
    "Switch the lamps and the ambient world that imitate the photo's light on or off": (
        "Die Lampen und das Umgebungslicht, die das Licht des Fotos nachahmen, an- oder ausschalten"
    ),
    "Bake Texture": "Textur backen",
    "Unwrap the person, unless it has a UV map already, and turn its albedo into an image": (
        "Die Person abwickeln, wenn sie noch keine UV-Map hat, und aus ihrer Albedo ein Bild machen"
    ),
    "Bake Normal Map": "Normal-Map backen",
    "Keep the relief of the dense surface as a normal map, once the person was decimated or remeshed": (
        "Das Relief der dichten Oberfläche als Normal-Map behalten, wenn die Person vereinfacht oder neu vermascht ist"
    ),
    "There is no finer surface to bake from; decimate or remesh the person first": (
        "Es gibt keine feinere Oberfläche zum Backen; erst die Person vereinfachen oder neu vermaschen"
    ),
    "There is no finer surface to bake from.": "Es gibt keine feinere Oberfläche zum Backen.",
    "Decimate or remesh the person first.": "Erst die Person vereinfachen oder neu vermaschen.",
    "Blender could not bake the normal map.": "Blender konnte die Normal-Map nicht backen.",
    "Choose another size.": "Eine andere Größe wählen.",
    "Blender's add-on Cycles is switched off.": "Blenders Add-on Cycles ist ausgeschaltet.",
    "Switch it on in the preferences.": "In den Einstellungen einschalten.",
    "Size": "Größe",
    "Width and height of the image": "Breite und Höhe des Bildes",
    "1024 px": "1024 px",
    "1024 x 1024 pixels": "1024 x 1024 Pixel",
    "2048 px": "2048 px",
    "2048 x 2048 pixels": "2048 x 2048 Pixel",
    "4096 px": "4096 px",
    "4096 x 4096 pixels": "4096 x 4096 Pixel",
    "Decimate": "Vereinfachen",
    "Show the person with fewer triangles, by a modifier that can be changed or removed": (
        "Die Person mit weniger Dreiecken zeigen, durch einen Modifikator, der sich ändern und entfernen lässt"
    ),
    "Triangles": "Dreiecke",
    "About how many triangles to keep; as many as there are takes the modifier away": (
        "Etwa so viele Dreiecke bleiben; so viele, wie es gibt, nimmt den Modifikator weg"
    ),
    "Remesh": "Neu vermaschen",
    "Lay a new, even surface over the person and carry the colours and the rig over. The old one is hidden": (
        "Eine neue, gleichmäßige Oberfläche über die Person legen und Farben und Skelett übertragen. Die alte wird "
        "ausgeblendet"
    ),
    "Kind": "Art",
    "What the new surface is made of": "Woraus die neue Oberfläche besteht",
    "Voxels": "Voxel",
    "Squares of one size; quick, and closes every gap": "Quadrate einer Größe; schnell, und schließt jede Lücke",
    "Quads": "Vierecke",
    "Quads that follow the shape; takes some seconds": "Vierecke, die der Form folgen; dauert einige Sekunden",
    "Voxel": "Voxel",
    "Edge of a voxel": "Kante eines Voxels",
    "About how many": "Etwa wie viele",
    "Add Rig": "Skelett hinzufügen",
    "Put an armature into the person and bind the surface to it": (
        "Ein Skelett in die Person setzen und die Oberfläche daran binden"
    ),
    "Export Person": "Person exportieren",
    "Write the person as a file for other programs, colours included": (
        "Die Person als Datei für andere Programme schreiben, mit ihren Farben"
    ),
    "File": "Datei",
    "Its name ends in one of .glb, .gltf, .fbx, .obj, .ply, .usd, .usda, .usdc, .usdz": (
        "Ihr Name endet auf .glb, .gltf, .fbx, .obj, .ply, .usd, .usda, .usdc oder .usdz"
    ),
    "No file was given.": "Es wurde keine Datei angegeben.",
    "Set filepath.": "filepath setzen.",
    "Blender can't write {}: {}": "Blender kann {} nicht schreiben: {}",
    "Blender could not remesh this surface.": "Blender konnte diese Oberfläche nicht neu vermaschen.",
    "Nothing is left of the surface.": "Von der Oberfläche bleibt nichts übrig.",
    "The new surface strays from the person.": "Die neue Oberfläche weicht von der Person ab.",
    "Choose another number.": "Eine andere Zahl wählen.",
    "Choose smaller voxels or more quads.": "Kleinere Voxel oder mehr Vierecke wählen.",
    "Choose smaller voxels.": "Kleinere Voxel wählen.",
    'The mesh has no colour attribute "{}" of its vertices.': 'Das Netz hat kein Farbattribut "{}" der Punkte.',
    "The person has no texture.": "Die Person hat keine Textur.",
    "Bake one first.": "Erst eine backen.",
    "The person's material is not the one that PHORHUM made.": (
        "Das Material der Person ist nicht das, das PHORHUM gemacht hat."
    ),
    "Reconstruct the person again.": "Die Person noch einmal rekonstruieren.",
    "This person has no joints: it was made by an older version.": (
        "Diese Person hat keine Gelenke: Eine ältere Version hat sie gemacht."
    ),
    "Reconstruct it again.": "Sie noch einmal rekonstruieren.",
    "Leave the editing of the person first": "Erst die Bearbeitung der Person beenden",
    "This needs a window of Blender": "Das braucht ein Fenster von Blender",
    "Unhide the person first": "Erst die Person einblenden",
    "The person belongs to another file": "Die Person gehört zu einer anderen Datei",
    "The person shows: {}": "Die Person zeigt: {}",
    "The person's light rig was deleted": "Die Lichter der Person wurden gelöscht",
    "The light rig is on.": "Die Lichter sind an.",
    "The light rig is off.": "Die Lichter sind aus.",
    'Baked "{}", {} x {} pixels': '"{}" gebacken, {} x {} Pixel',
    "About {} triangles": "Etwa {} Dreiecke",
    "{} faces; the person as it was is hidden": "{} Flächen; die Person, wie sie war, ist ausgeblendet",
    "The person has a rig already": "Die Person hat schon ein Skelett",
    "This person has no joints: it was made by an older version; reconstruct it again": (
        "Diese Person hat keine Gelenke: Eine ältere Version hat sie gemacht; noch einmal rekonstruieren"
    ),
    "{} bones": "{} Knochen",
    "Wrote {}": "{} geschrieben",
    "Wrote {}. Bake a texture for programs that show no colours of vertices": (
        "{} geschrieben. Für Programme, die keine Farben von Punkten zeigen, eine Textur backen"
    ),
}
